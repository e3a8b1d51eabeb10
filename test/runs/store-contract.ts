/** The suite that holds stores of runs to the comments of `src/runs/store.ts`. */
import { contract, type Promised as PromisedOf } from '../support/contract.js'
import { ends } from './store-contract/ends.js'
import { keys } from './store-contract/keys.js'
import { leases } from './store-contract/leases.js'
import { records } from './store-contract/records.js'
import { stops } from './store-contract/stops.js'
import type { StoreSubject } from './store-subject.js'

export type Promised = PromisedOf<StoreSubject>

export const storeContract = contract<StoreSubject>({ records, leases, ends, stops, keys })
