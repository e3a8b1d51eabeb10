/** The suite that holds stores of documents to the comments of `src/documents/documents.ts`. */
import { contract, type Promised as PromisedOf } from '../support/contract.js'
import { changing } from './contract/changing.js'
import { leases } from './contract/leases.js'
import { moments } from './contract/moments.js'
import { sequences } from './contract/sequences.js'
import { transactions } from './contract/transactions.js'
import type { DocumentsSubject } from './subject.js'

export type Promised = PromisedOf<DocumentsSubject>

export const documentsContract = contract<DocumentsSubject>({
  changing,
  moments,
  leases,
  sequences,
  transactions,
})
