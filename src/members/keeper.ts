/**
 * Keeps members alive whose connection is here, and finds those that nobody keeps alive any more.
 *
 *               hold                    release: away                grace over
 *     a change ──────▶ live, renewed ─────────────────▶ in grace ───────────────▶ overdue: removed by
 *     of the owner          ▲                              │                      whoever finds it
 *                           └──────────── hold ────────────┘
 *
 * Presence goes by leases, not by sockets: a reconnect within the grace is no leave, and a gateway that dies
 * takes nobody along but those who don't come back. Who owns the members (rooms, presence) makes them, with
 * a lease of `liveMs`, and removes them.
 */
import { randomBytes } from 'node:crypto'
import type { Documents, Membership, Renewal } from '../documents/documents.js'
import type { Logger } from '../logger.js'
import { BEAT_MS, CLAIM_MS, LEASE_MS, SWEEP_MEMBERS } from './limits.js'

export interface KeeperOptions {
  readonly documents: Pick<Documents, 'renew' | 'overdue'>
  readonly logger: Logger
  /** ms from the end of a member's connection until it is overdue. */
  readonly graceMs: number
  /** ms without a sign of life until the grace begins. Default 15000. */
  readonly leaseMs?: number
  /** ms between two beats: looks for the overdue, and tries to renew. Default 1000. */
  readonly beatMs?: number
  /** ms that whoever finds one has to remove it. Default 5000. */
  readonly claimMs?: number
  /** ms that go on steadily. Default: the machine's. */
  readonly now?: () => number
  /** A timer; answers what takes it back. Default: the machine's. */
  readonly later?: (run: () => void, ms: number) => () => void
}

/** Who owns the members of some documents. */
export interface Owner {
  /**
   * The member's lease is over: it is to be removed, by a change that holds only if that is so still. Where
   * this rejects, or does nothing, the member is found again.
   */
  overdue(name: string, member: string): Promise<void>
  /**
   * A member that is held here has no lease (any more): it was removed, or the store has lost it. It isn't
   * held from here on. Said of what was so a moment ago: the document tells what is.
   */
  lost(name: string, member: string): void
}

export interface Keeper {
  /** ms of a lease of a member whose connection is here. */
  readonly liveMs: number
  /** ms of a lease of one that is away. */
  readonly graceMs: number
  /** Names the owner of all documents whose names begin like that. Before `start`. */
  own(prefix: string, owner: Owner): void
  start(): void
  /**
   * A connection of the member is here, until it is released. Said of a member that has a lease: it is live
   * from now on, if it was away. Held several times it is away when all have released it.
   */
  hold(name: string, member: string): () => void
  /** Members held here. */
  readonly held: number
  /**
   * Everybody held here goes into grace now, for they will come back to another gateway; nothing is
   * renewed, nor looked for, any more. Resolves when the store knows, or can't be told.
   */
  stop(): Promise<void>
}

interface Hold extends Membership {
  count: number
}

function machineLater(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

export function createKeeper(options: KeeperOptions): Keeper {
  const { documents, logger, graceMs, leaseMs = LEASE_MS, later = machineLater } = options
  const { beatMs = BEAT_MS, claimMs = CLAIM_MS, now = () => performance.now() } = options
  const liveMs = leaseMs + graceMs
  const node = randomBytes(6).toString('base64url')
  const owners: { readonly prefix: string; readonly owner: Owner }[] = []
  const holds = new Map<string, Hold>()
  /** What the store is to be told next, the newest word on each member. */
  let words = new Map<string, Renewal>()
  let telling: Promise<boolean> | undefined
  let scheduled = false
  let beating = false
  let sweeping = false
  let stopped = false
  /** When all were said to live last. */
  let renewed = now()
  /** Until when nobody is taken for gone. */
  let mercy = Number.NEGATIVE_INFINITY
  let cancel: (() => void) | undefined

  const ownerOf = (name: string) => owners.find(({ prefix }) => name.startsWith(prefix))?.owner
  // No name has a blank.
  const keyOf = ({ name, member }: Membership) => `${name} ${member}`

  const warn = (what: string, error: unknown) => {
    logger.warn(
      { reason: error instanceof Error ? error.message : error },
      `members: ${what} failed`,
    )
  }

  function say({ name, member }: Membership, live: boolean): void {
    const word = live ? { ms: liveMs } : { ms: graceMs, away: true }
    words.set(keyOf({ name, member }), { name, member, ...word, by: node })
  }

  /** It lives still. Another gateway may have it by now, where whoever is here is about to be replaced. */
  function repeat({ name, member }: Membership): void {
    const key = keyOf({ name, member })
    if (!words.has(key)) words.set(key, { name, member, ms: liveMs })
  }

  /** At the end of this turn, for all that comes in it. */
  function soon(): void {
    if (scheduled || stopped) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      void tell()
    })
  }

  /** One call at a time: two words on one member must not overtake each other. Answers whether all is told. */
  function tell(): Promise<boolean> {
    telling ??= tellAll().finally(() => {
      telling = undefined
    })
    return telling
  }

  async function tellAll(): Promise<boolean> {
    while (words.size > 0) {
      const told = words
      words = new Map()
      try {
        const standings = await documents.renew([...told.values()])
        for (const [i, renewal] of [...told.values()].entries()) {
          if (standings[i] === 'lost') lose(renewal)
        }
      } catch (error) {
        warn('renewing', error)
        // Said again with the next beat, but for what was said since.
        words = new Map([...told, ...words])
        return false
      }
    }
    return true
  }

  function lose({ name, member, away }: Renewal): void {
    const key = keyOf({ name, member })
    if (away === true || !holds.delete(key)) return
    ownerOf(name)?.lost(name, member)
  }

  const isDue = () => now() - renewed >= leaseMs / 3

  async function beat(): Promise<void> {
    if (beating) return
    beating = true
    if (isDue()) {
      renewed = now()
      for (const hold of holds.values()) repeat(hold)
    }
    // First, and not if it is due again: a process that slept would find its own members overdue.
    if (!(await tell())) spare()
    else if (now() >= mercy && !isDue()) void sweep()
    beating = false
  }

  /**
   * The store could not be asked, perhaps by nobody, and perhaps for longer than leases last. Before anybody
   * is taken for gone all gateways get the time to say who lives.
   */
  function spare(): void {
    mercy = now() + leaseMs / 3 + 2 * beatMs
  }

  async function sweep(): Promise<void> {
    if (sweeping) return
    sweeping = true
    try {
      for (;;) {
        const found = await documents.overdue(SWEEP_MEMBERS, claimMs)
        await Promise.all(found.map(hand))
        if (found.length < SWEEP_MEMBERS || stopped) break
      }
    } catch (error) {
      warn('looking for the overdue', error)
      spare()
    }
    sweeping = false
  }

  async function hand({ name, member }: Membership): Promise<void> {
    try {
      await ownerOf(name)?.overdue(name, member)
    } catch (error) {
      warn('removing', error)
    }
  }

  function schedule(): void {
    cancel = later(() => {
      schedule()
      void beat()
    }, beatMs)
  }

  function release(hold: Hold): void {
    hold.count--
    if (hold.count > 0 || stopped || holds.get(keyOf(hold)) !== hold) return
    holds.delete(keyOf(hold))
    say(hold, false)
    soon()
  }

  return {
    liveMs,
    graceMs,
    get held() {
      return holds.size
    },
    own(prefix, owner) {
      owners.push({ prefix, owner })
    },
    start: schedule,
    hold(name, member) {
      const hold = holds.get(keyOf({ name, member })) ?? { name, member, count: 0 }
      hold.count++
      if (hold.count === 1 && !stopped) {
        holds.set(keyOf(hold), hold)
        say(hold, true)
        soon()
      }
      let over = false
      return () => {
        if (over) return
        over = true
        release(hold)
      }
    },
    async stop() {
      cancel?.()
      stopped = true
      for (const hold of holds.values()) say(hold, false)
      holds.clear()
      // What is under way may end with a failure, and leave its words to the next.
      await telling
      await tell()
    },
  }
}
