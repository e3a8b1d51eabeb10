/** The suite that holds what gateways share to the comments of `src/auth/shared.ts`. */
import type { Test } from 'tap'
import { buckets } from './shared-contract/buckets.js'
import { renewals } from './shared-contract/renewals.js'
import { revocations } from './shared-contract/revocations.js'
import { sessions } from './shared-contract/sessions.js'
import { tickets } from './shared-contract/tickets.js'
import type { CreateSubject, Subject } from './shared-subject.js'

/** A promise of the seam, tried on gateways of its own. */
export type Promised = (name: string, run: (t: Test, subject: Subject) => Promise<void>) => void

export async function sharedContract(
  t: Test,
  name: string,
  createSubject: CreateSubject,
): Promise<void> {
  const parts = { tickets, sessions, buckets, revocations, renewals }
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
