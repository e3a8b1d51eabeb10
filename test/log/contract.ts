/** The suite that holds every log to the comments of `src/log/log.ts`. */
import type { Test } from 'tap'
import { appending } from './contract/appending.js'
import { ending } from './contract/ending.js'
import { fencing } from './contract/fencing.js'
import { following } from './contract/following.js'
import { keys } from './contract/keys.js'
import { model } from './contract/model.js'
import { reading } from './contract/reading.js'
import { retention } from './contract/retention.js'
import { seeking } from './contract/seeking.js'
import type { CreateSubject, Subject } from './subject.js'

/** A promise of the seam, tried on a log of its own. */
export type Promised = (
  name: string,
  run: (t: Test, subject: Subject) => Promise<void>,
  options?: { readonly partitions?: number },
) => void

export async function logContract(
  t: Test,
  name: string,
  createSubject: CreateSubject,
): Promise<void> {
  const parts = { appending, keys, fencing, ending, reading, seeking, retention, following, model }
  for (const [part, describe] of Object.entries(parts)) {
    await t.test(`${name}: ${part}`, async (t) => {
      const promised: Promised = (name, run, options) => {
        t.test(name, async (t) => {
          const subject = await createSubject(options)
          t.teardown(() => subject.stop())
          await run(t, subject)
        })
      }
      describe(promised)
    })
  }
}
