/** A suite that every implementation of a seam has to pass: parts, each of which makes promises. */
import type { Test } from 'tap'

/** A promise of the seam, tried on a subject of its own. `options`: how that has to be. */
export type Promised<S, O = undefined> = (
  name: string,
  run: (t: Test, subject: S) => Promise<void>,
  options?: O,
) => void

/** Makes one; it is stopped when its test has ended. */
export type CreateSubject<S, O = undefined> = (options?: O) => Promise<S>

export function contract<S extends { stop(): unknown }, O = undefined>(
  parts: Readonly<Record<string, (promised: Promised<S, O>) => void>>,
) {
  return async (t: Test, name: string, createSubject: CreateSubject<S, O>): Promise<void> => {
    for (const [part, describe] of Object.entries(parts)) {
      await t.test(`${name}: ${part}`, async (t) => {
        describe((name, run, options) => {
          t.test(name, async (t) => {
            const subject = await createSubject(options)
            t.teardown(() => subject.stop())
            await run(t, subject)
          })
        })
      })
    }
  }
}
