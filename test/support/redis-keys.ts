/** A Redis whose keys and clock a test looks at directly. */
import { Redis } from 'ioredis'
import { hashTag } from '../../src/log/redis/slots.js'

/** What the keys of the only partition begin with. */
export const baseOf = (prefix: string) => `${prefix}:{${hashTag(0, 1)}}`

/** A client of the Redis at `url`, and its clock. The caller disconnects the client. */
export function lookInto(url: string) {
  const client = new Redis(url)

  /** Redis's time: milliseconds since the epoch, with a fraction. */
  async function serverTime(): Promise<number> {
    const [seconds, micros] = await client.time()
    return Number(seconds) * 1000 + Number(micros) / 1000
  }

  /** Redis's clock can't be owned, so it is asked until it has gone on; BLPOP paces the questions. */
  async function elapse(ms: number): Promise<void> {
    // Keys go in the millisecond after their last one.
    const due = (await serverTime()) + ms + 1
    while ((await serverTime()) < due) await client.blpop('nothing', 0.02)
  }

  return { client, serverTime, elapse }
}
