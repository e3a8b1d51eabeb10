/** The suite that holds stores of runs to the comments of `src/runs/store.ts`. */
import type { Test } from 'tap'
import { ends } from './store-contract/ends.js'
import { keys } from './store-contract/keys.js'
import { leases } from './store-contract/leases.js'
import { records } from './store-contract/records.js'
import { stops } from './store-contract/stops.js'
import type { CreateStoreSubject, StoreSubject } from './store-subject.js'

/** A promise of the seam, tried on gateways of its own. */
export type Promised = (
  name: string,
  run: (t: Test, subject: StoreSubject) => Promise<void>,
) => void

export async function storeContract(
  t: Test,
  name: string,
  createSubject: CreateStoreSubject,
): Promise<void> {
  const parts = { records, leases, ends, stops, keys }
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
