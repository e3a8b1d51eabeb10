/** The suite that holds stores of documents to the comments of `src/documents/documents.ts`. */
import type { Test } from 'tap'
import { changing } from './contract/changing.js'
import { leases } from './contract/leases.js'
import { moments } from './contract/moments.js'
import { sequences } from './contract/sequences.js'
import { transactions } from './contract/transactions.js'
import type { CreateDocumentsSubject, DocumentsSubject } from './subject.js'

/** A promise of the seam, tried on gateways of its own. */
export type Promised = (
  name: string,
  run: (t: Test, subject: DocumentsSubject) => Promise<void>,
) => void

export async function documentsContract(
  t: Test,
  name: string,
  createSubject: CreateDocumentsSubject,
): Promise<void> {
  const parts = { changing, moments, leases, sequences, transactions }
  for (const [part, describe] of Object.entries(parts)) {
    await t.test(`${name}: ${part}`, async (t) => {
      const promised: Promised = (name, run) => {
        t.test(name, async (t) => {
          const subject = await createSubject()
          t.teardown(() => subject.stop())
          await run(t, subject)
        })
      }
      describe(promised)
    })
  }
}
