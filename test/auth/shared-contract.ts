/** The suite that holds what gateways share to the comments of `src/auth/shared.ts`. */
import { contract, type Promised as PromisedOf } from '../support/contract.js'
import { buckets } from './shared-contract/buckets.js'
import { renewals } from './shared-contract/renewals.js'
import { revocations } from './shared-contract/revocations.js'
import { sessions } from './shared-contract/sessions.js'
import { tickets } from './shared-contract/tickets.js'
import type { Subject } from './shared-subject.js'

export type Promised = PromisedOf<Subject>

export const sharedContract = contract<Subject>({
  tickets,
  sessions,
  buckets,
  revocations,
  renewals,
})
