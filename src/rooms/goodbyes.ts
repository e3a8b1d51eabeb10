/** What follows when somebody has left: the second part of leaving (leave.ts has the picture). */
import type { Entry, Log } from '../log/log.js'
import type { Logger } from '../logger.js'
import type { Sessions } from '../sessions/sessions.js'
import { COUNTERS } from '../wire/position.js'
import { farewellPlan } from './leave.js'
import { inboxChannel, roomChannel } from './names.js'
import type { Farewell } from './state.js'
import type { Take } from './steps.js'

/** Entries of an inbox that are read at once. */
const PAGE = 500

export interface GoodbyesOptions {
  readonly take: Take
  readonly log: Pick<Log, 'read' | 'partitionOf'>
  readonly sessions: Pick<Sessions, 'withdraw'>
  readonly logger: Logger
}

export interface Goodbyes {
  /** Resolves once it is said, by whichever gateway. */
  say(room: string, incarnation: string): Promise<void>
  /** The same where nobody waits for it to be done: what fails is found by its lease. */
  sayAll(room: string, incarnations: readonly string[]): Promise<void>
}

export function createGoodbyes(options: GoodbyesOptions): Goodbyes {
  const { take, log, sessions, logger } = options
  const underway = new Map<string, Promise<void>>()

  const farewellOf = (room: string, incarnation: string) =>
    take(room, (state) => ({ end: state.farewells.get(incarnation) }))

  async function finish(room: string, incarnation: string): Promise<void> {
    const farewell = await farewellOf(room, incarnation)
    if (farewell === undefined) return
    const inbox = inboxChannel(room, incarnation)
    // Before the inbox goes: a stream that still had it would be told of a gap.
    const { session, reason, id: participant } = farewell
    const ground = { by: 'room', room, participant, incarnation } as const
    await sessions.withdraw(session, [roomChannel(room), inbox], reason, ground)
    const entries = await entriesOf(inbox, farewell)
    await take<void>(room, (state) => {
      if (!state.farewells.has(incarnation)) return { end: undefined }
      const change = farewellPlan(room, state, farewell, entries)
      return { change: { ...change, frees: true }, answer: () => {} }
    })
  }

  async function entriesOf(inbox: string, { since }: Farewell): Promise<Entry[]> {
    const partition = log.partitionOf(inbox)
    const all: Entry[] = []
    let after = Math.max(0, since * COUNTERS - 1)
    for (;;) {
      const { channels } = await log.read(partition, [{ channel: inbox, after }], PAGE)
      const { entries, complete } = channels[0]!
      all.push(...entries)
      after = entries.at(-1)?.order ?? after
      if (complete || entries.length === 0) return all
    }
  }

  function say(room: string, incarnation: string): Promise<void> {
    const known = underway.get(incarnation)
    if (known !== undefined) return known
    const saying = finish(room, incarnation).finally(() => underway.delete(incarnation))
    underway.set(incarnation, saying)
    return saying
  }

  return {
    say,
    async sayAll(room, incarnations) {
      const said = await Promise.allSettled(incarnations.map((it) => say(room, it)))
      for (const one of said) {
        if (one.status === 'fulfilled') continue
        const reason = (one.reason as Error).message
        logger.warn({ reason }, 'a goodbye waits for another try')
      }
    },
  }
}
