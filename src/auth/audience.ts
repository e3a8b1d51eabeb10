/**
 * Whoever holds something open: streams, waiting polls, uploads. Rights end while they last: with the
 * token, by a revocation, with a fresh token that grants less.
 */
import { EXPIRING_MS } from '../limits.js'
import type { Identity } from './identity.js'
import { mayRead } from './reading.js'
import type { Revocations } from './revocations.js'
import type { Rights } from './rights.js'

/** Why it is over. */
export type EndReason = 'token_expired' | 'revoked'

export interface Member {
  /** Replaced by a fresh one when the token is renewed. */
  identity: Identity
  /** Public id. */
  readonly session: string | undefined
  /** What it reads or writes. */
  readonly channels: readonly string[]
  readonly does: 'subscribe' | 'publish' | 'generate'
  /** Whether rights bear what else it reads. Default: there is nothing else. */
  bears?(rights: Rights): boolean
  /** It goes on with a fresh identity. */
  renewed?(identity: Identity): void
  /** Called once at the most. `again`: coming back makes sense, with another token if need be. */
  end(reason: EndReason, again: boolean): void
  /** The identity ends in a moment, at `expires` (ms since the epoch). */
  expiring?(expires: number): void
}

export interface Audience {
  /** Until the answer is called. Whoever is kept out already is ended by the next `judge`. */
  enter(member: Member): () => void
  /** Ends whoever may not go on. Called by the clock, when revocations change, and after an opening. */
  judge(members?: Iterable<Member>): void
  /** A session's fresh identity. False: nobody of that session is here. */
  renew(session: string, identity: Identity): boolean
  start(): void
  stop(): void
}

/** ms between two looks at the clock: how much later than its token a stream may end. */
const LOOK_MS = 500

export function createAudience(revocations: Revocations, now: () => number): Audience {
  const members = new Set<Member>()
  /** Those who have been told that their time is short. */
  const warned = new WeakSet<Member>()
  let timer: NodeJS.Timeout | undefined

  function end(member: Member, reason: EndReason, again: boolean): void {
    members.delete(member)
    member.end(reason, again)
  }

  function judge(some: Iterable<Member> = members): void {
    const time = now()
    for (const member of [...some]) {
      const { identity, session } = member
      if (!members.has(member)) continue
      if (revocations.covers(identity, session)) end(member, 'revoked', false)
      else if (identity.expires <= time) end(member, 'token_expired', true)
      else if (identity.expires - time <= EXPIRING_MS && !warned.has(member)) {
        warned.add(member)
        member.expiring?.(identity.expires)
      }
    }
  }

  return {
    enter(member) {
      members.add(member)
      return () => void members.delete(member)
    },
    judge,
    renew(session, identity) {
      const own = [...members].filter((member) => member.session === session)
      for (const member of own) {
        const { channels, does } = member
        // What the old token granted and the new one doesn't, is over: the opening says which it was.
        const { rights } = identity
        const may = (it: string) =>
          does === 'subscribe' ? mayRead(rights, it) : rights.may(does, it)
        if (!channels.every(may) || member.bears?.(rights) === false) {
          end(member, 'revoked', true)
          continue
        }
        member.identity = identity
        warned.delete(member)
        member.renewed?.(identity)
      }
      judge(own)
      return own.length > 0
    },
    start() {
      timer = setInterval(() => judge(), LOOK_MS)
      timer.unref()
    },
    stop() {
      clearInterval(timer)
    },
  }
}
