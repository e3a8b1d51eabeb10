/** A harness that finds nothing may be blind: here one delivered event is tampered with. */
import type { Seen } from '../support/sse-reader.js'
import type { Sabotage } from './options.js'

/** Events that are let by first: there must be something before and after it on every channel. */
const AFTER = 40
/** A run of events, as long as a stream's outage. */
const OUTAGE = 30

/** Passes on what comes, but for one fault. */
export function sabotaged(
  kind: Sabotage | undefined,
  note: (seen: Seen) => void,
): (seen: Seen) => void {
  let count = 0
  let held: Extract<Seen, { kind: 'event' }> | undefined
  return (seen) => {
    if (kind === undefined || seen.kind !== 'event') return note(seen)
    count++
    if (kind === 'drop' && count === AFTER) return
    if (kind === 'silent-gap' && count >= AFTER && count < AFTER + OUTAGE) return
    if (kind === 'swap' && count === AFTER) {
      held = seen
      return
    }
    note(seen)
    if (kind === 'double' && count === AFTER) note(seen)
    // Two events of one channel: across channels there is no order to break.
    if (held !== undefined && held.channel === seen.channel) {
      note({ ...held, connection: seen.connection })
      held = undefined
    }
  }
}
