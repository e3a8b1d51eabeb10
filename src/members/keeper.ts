/**
 * Keeps the leases of those whose connection is on this gateway, and looks for leases that are over, of
 * whichever gateway.
 *
 *     hold ──▶ renewed every third of a lease ──▶ release ──▶ grace ──▶ overdue: whoever finds it says so
 *
 * A lease of somebody who is here lasts for a lease and the grace: of a gateway that dies nobody leaves
 * sooner than of one that lives.
 */
import type { Documents, Renewal } from '../documents/documents.js'
import type { Logger } from '../logger.js'

/** What is done about a document's members, by whoever knows its rules. */
export interface MemberHandler {
  /** A lease is over. Where it rejects the lease is found again. */
  overdue(name: string, member: string): Promise<void>
  /** Somebody who is held here has no lease any more. */
  lost(name: string, member: string): void
}

export interface Keeper {
  /** ms of a lease of somebody who is here. */
  readonly leaseMs: number
  /** From now on; held twice, it is to be let go twice. */
  hold(name: string, member: string): void
  /** Its connection is gone. Held no more it is away, and its grace runs. */
  release(name: string, member: string): void
  /** Its lease is somebody else's business from now on. */
  forget(name: string, member: string): void
  /** Who is asked about documents whose names begin so. */
  handle(prefix: string, handler: MemberHandler): void
  start(): void
  /** Lets everybody go who is held. */
  stop(): Promise<void>
}

export interface KeeperOptions {
  readonly documents: Documents
  readonly logger: Logger
  /** ms that somebody may be away. */
  readonly graceMs: number
  /** ms of a lease without the grace. Default 15,000. */
  readonly leaseMs?: number | undefined
}

const LEASE_MS = 15_000
/** Leases in one question. */
const CHUNK = 1000
/** ms after which an overdue lease is found again that nothing was done about. */
const CLAIM_MS = 10_000
/** ms between two looks. */
const LOOK_MS = 1_000

export function createKeeper(options: KeeperOptions): Keeper {
  const { documents, logger, leaseMs: lease = LEASE_MS } = options
  // Somebody may be held by another gateway by now, which says so within a third of a lease.
  const graceMs = Math.max(options.graceMs, Math.ceil(lease / 2))
  const leaseMs = lease + graceMs
  const handlers = new Map<string, MemberHandler>()
  /** How often each is held, by document and member. */
  const held = new Map<string, Map<string, number>>()
  let released: Renewal[] = []
  let timers: NodeJS.Timeout[] = []
  let looking = false

  const countOf = (name: string, member: string) => held.get(name)?.get(member) ?? 0

  function setCount(name: string, member: string, count: number): void {
    const members = held.get(name) ?? new Map<string, number>()
    if (count > 0) members.set(member, count)
    else members.delete(member)
    if (members.size > 0) held.set(name, members)
    else held.delete(name)
  }

  /** Renews in chunks; those that were lost. */
  async function renew(renewals: readonly Renewal[]): Promise<Renewal[]> {
    const lost: Renewal[] = []
    for (let at = 0; at < renewals.length; at += CHUNK) {
      const chunk = renewals.slice(at, at + CHUNK)
      const answers = await documents.renew(chunk)
      lost.push(...chunk.filter((_, i) => answers[i] === 'lost'))
    }
    return lost
  }

  async function renewAll(): Promise<void> {
    const all = [...held].flatMap(([name, members]) =>
      [...members.keys()].map((member) => ({ name, member, ms: leaseMs })),
    )
    const lost = await renew(all)
    for (const { name, member } of lost) {
      if (countOf(name, member) > 0) handlerOf(name)?.lost(name, member)
    }
  }

  async function letGo(): Promise<void> {
    const gone = released
    released = []
    await renew(gone)
  }

  function handlerOf(name: string): MemberHandler | undefined {
    for (const [prefix, handler] of handlers) if (name.startsWith(prefix)) return handler
    return undefined
  }

  async function lookAround(): Promise<void> {
    if (looking) return
    looking = true
    try {
      for (;;) {
        const overdue = await documents.overdue(CHUNK, CLAIM_MS)
        await Promise.allSettled(
          overdue.map(({ name, member }) => handlerOf(name)?.overdue(name, member)),
        )
        if (overdue.length < CHUNK) return
      }
    } finally {
      looking = false
    }
  }

  /** The log's connections say what is wrong with them; the next turn makes up for it. */
  const quietly = (work: () => Promise<void>) => () => {
    work().catch((error: unknown) => logger.debug({ err: error }, 'leases can’t be kept'))
  }

  return {
    leaseMs,
    hold(name, member) {
      setCount(name, member, countOf(name, member) + 1)
      if (released.length === 0) return
      released = released.filter((it) => it.name !== name || it.member !== member)
    },
    release(name, member) {
      const count = countOf(name, member)
      if (count === 0) return
      setCount(name, member, count - 1)
      if (count > 1) return
      // Those who go in one turn of the event loop go together.
      if (released.length === 0) setImmediate(quietly(letGo))
      released.push({ name, member, ms: graceMs, away: true })
    },
    forget(name, member) {
      setCount(name, member, countOf(name, member) - 1)
    },
    handle: (prefix, handler) => void handlers.set(prefix, handler),
    start() {
      timers = [
        setInterval(quietly(renewAll), lease / 3),
        setInterval(quietly(lookAround), Math.min(LOOK_MS, lease / 3)),
      ]
      for (const timer of timers) timer.unref()
    },
    async stop() {
      for (const timer of timers) clearInterval(timer)
      for (const [name, members] of held) {
        for (const member of members.keys()) {
          released.push({ name, member, ms: graceMs, away: true })
        }
      }
      held.clear()
      await letGo().catch(() => {})
    },
  }
}
