/**
 * One reader of one channel. What the stream brings goes through a queue with a bound; what came before
 * it, or went past a full queue, is read from the channel's history, and the two are merged by id:
 *
 *     stream ──▶ live? ──yes──▶ queue ──▶ handler, or for await
 *                  │no                      ▲
 *                  ▼                        │ page by page, as there is room
 *                 held ──when read up──▶ history
 *
 * A slow reader so costs its own time, not the other readers' and not memory. Rejected: reading the
 * stream no faster than its slowest reader, for a loop that a page has forgotten would stop them all.
 */
import { parsePosition } from '../wire/position.js'
import type { Page, Place, Told } from './history.js'
import type { EndItem, EventItem, GapItem } from './items.js'

/** What may wait in one queue; beyond it the reader is behind. */
const QUEUE = 256
/** Events in one page of history. */
const PAGE = 500

export interface Hooks {
  /** A promise is waited for before the next event is given. */
  readonly onEvent?: ((event: EventItem) => unknown) | undefined
  /** Events may be missing here. */
  readonly onGap?: ((gap: GapItem) => unknown) | undefined
  /** The channel has ended. */
  readonly onEnd?: ((end: EndItem) => unknown) | undefined
  /** It can't be read. Nothing more comes. */
  readonly onError?: ((error: Error) => unknown) | undefined
}

export interface Host {
  /** Pages of the channel's history. Tries again for as long as that may help; rejects where it can't, or at `signal`. */
  readonly page: (place: Place, limit: number, signal: AbortSignal) => Promise<Page>
  /** The stream has the channel. */
  readonly served: () => boolean
  /** Where the stream stands. */
  readonly cursor: () => string | undefined
  readonly onClosed: () => void
}

export interface Reader {
  /** From the stream. */
  take(told: Told): void
  /** The stream has more channels, perhaps this one, from its cursor on. */
  served(): void
  /** Something may have passed by. */
  lookBack(): void
  /** Nothing more comes. */
  end(error?: Error): void
  next(): Promise<IteratorResult<EventItem, undefined>>
}

/** `from`: reads history first. */
export function createReader(host: Host, hooks: Hooks, from: Place | undefined): Reader {
  const queue: Told[] = []
  const stop = new AbortController()
  let held: Told[] = []
  /** Held ones had no room. */
  let missed = false
  let catching = false
  let busy = false
  let over = false
  let failure: Error | undefined
  /** Order and id of the newest event that was queued. */
  let newest = -1
  let last: string | undefined
  const asking: {
    resolve: (result: IteratorResult<EventItem, undefined>) => void
    reject: (error: Error) => void
  }[] = []
  let onWake = () => {}

  function take(told: Told): void {
    if (over) return
    if (catching) {
      if (held.length < QUEUE) held.push(told)
      else missed = true
    } else if (queue.length < QUEUE) enqueue(told)
    // An event that nobody keeps, for whom it is too late.
    else if (told.type !== 'event' || told.id !== undefined) void catchUp(place())
  }

  function place(): Place {
    return { after: last ?? host.cursor() ?? 'latest' }
  }

  function enqueue(told: Told): void {
    if (over) return
    if (told.type === 'event' && told.id !== undefined) {
      const { order } = parsePosition(told.id) ?? { order: Number.MAX_VALUE }
      if (order <= newest) return
      newest = order
      last = told.id
    }
    // Order begins anew after some losses: rather an event twice than one taken for a double.
    if (told.type === 'gap') newest = -1
    queue.push(told)
    drain()
  }

  async function catchUp(from: Place): Promise<void> {
    if (catching || over) return
    catching = true
    try {
      for (let place = from; ; ) {
        // What has come until now will be in the page.
        held = []
        missed = false
        const served = host.served()
        const page = await host.page(place, PAGE, stop.signal)
        for (const told of page.items) {
          while (queue.length >= QUEUE && !over) await wake()
          enqueue(told)
        }
        if (page.cursor !== undefined) place = { after: page.cursor }
        last ??= page.cursor
        if (over) return
        if (page.more || missed) continue
        if (served) break
        if (!host.served()) await wake()
      }
      catching = false
      for (const told of held) enqueue(told)
      held = []
    } catch (error) {
      end(error as Error)
    }
  }

  /** There is room in the queue, or the stream has more channels. */
  function wake(): Promise<void> {
    return new Promise((resolve) => {
      onWake = resolve
    })
  }

  /** Gives what may be given now. */
  function drain(): void {
    while (!busy && queue.length > 0) {
      const told = queue[0]!
      if (told.type === 'event' && hooks.onEvent === undefined) {
        const asker = asking.shift()
        if (asker === undefined) break
        queue.shift()
        asker.resolve({ done: false, value: told })
      } else {
        queue.shift()
        give(told)
      }
    }
    if (queue.length < QUEUE) onWake()
    if (queue.length === 0 && over) {
      for (const { resolve, reject } of asking.splice(0)) {
        if (failure) reject(failure)
        else resolve({ done: true, value: undefined })
      }
    }
  }

  function give(told: Told): void {
    const done = call(() => {
      if (told.type === 'event') return hooks.onEvent?.(told)
      if (told.type === 'gap') return hooks.onGap?.(told)
      // A loop over a channel ends with it.
      if (hooks.onEvent === undefined) finish()
      return hooks.onEnd?.(told)
    })
    if (!(done instanceof Promise)) return
    busy = true
    done.then(() => {
      busy = false
      drain()
    })
  }

  function finish(error?: Error): void {
    if (over) return
    over = true
    failure = error
    stop.abort()
    onWake()
    host.onClosed()
  }

  function end(error?: Error): void {
    if (over) return
    finish(error)
    // Whoever left doesn't want the rest.
    if (error === undefined) queue.length = 0
    drain()
    if (error !== undefined) call(() => hooks.onError?.(error))
  }

  if (from !== undefined) void catchUp(from)

  return {
    take,
    served() {
      // The place to look back to as long as no event has come.
      if (!catching && host.served()) last ??= host.cursor()
      onWake()
    },
    lookBack() {
      if (last !== undefined) void catchUp(place())
    },
    end,
    next() {
      return new Promise((resolve, reject) => {
        asking.push({ resolve, reject })
        drain()
      })
    },
  }
}

/** A handler's mistake is told where mistakes are told, and stops nobody. */
export function call(handler: () => unknown): unknown {
  try {
    const done = handler()
    return done instanceof Promise ? done.catch(console.error) : done
  } catch (error) {
    console.error(error)
    return undefined
  }
}
