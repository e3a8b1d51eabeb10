/**
 * One stream's share of one partition, as a pure state machine.
 *
 *                    caught-up
 *      ┌──────────┐ ──────────▶ ┌──────┐
 *   ──▶│replaying │             │ live │
 *      └──────────┘ ◀────────── └──────┘
 *        ▲      │      behind      │
 *        │      │ full             │ full
 *  drained      ▼                  │
 *        │   ┌─────────┐           │
 *        └── │ lagging │ ◀─────────┘          any ── close ──▶ closed
 *            └─────────┘
 *
 * - **replaying**: reads pages and log from its position on. A new stream, a slow reader that reads
 *   again, a hole that was found and a lost connection to the store all come here: there is one way
 *   to catch up, not four.
 * - **live**: has everything there is; the next batch of its channels goes straight to its socket.
 * - **lagging**: its socket is full. It holds its position and nothing else.
 * - **closed**: gone.
 */
export type Phase = 'replaying' | 'live' | 'lagging' | 'closed'

export type Happening =
  /** All that is known was written. */
  | 'caught-up'
  /** Something was missed, or comes from several channels at once: read again from the position. */
  | 'behind'
  /** The socket takes no more. */
  | 'full'
  /** The socket takes more. */
  | 'drained'
  | 'close'

const TRANSITIONS: Record<Phase, Partial<Record<Happening, Phase>>> = {
  replaying: { 'caught-up': 'live', behind: 'replaying', full: 'lagging', drained: 'replaying' },
  // A socket drains also where it never stopped its stream: some other partition's share had.
  live: { behind: 'replaying', full: 'lagging', drained: 'live', 'caught-up': 'live' },
  // A hole found meanwhile changes nothing: the position is where reading goes on anyway.
  lagging: { drained: 'replaying', behind: 'lagging', full: 'lagging' },
  closed: {},
}

/** The next phase. A happening that can't be in this phase is a fault of the caller and throws. */
export function transition(phase: Phase, happening: Happening): Phase {
  if (happening === 'close') return 'closed'
  const next = TRANSITIONS[phase][happening]
  if (next === undefined) throw new Error(`A ${phase} subscription can't be told "${happening}"`)
  return next
}
