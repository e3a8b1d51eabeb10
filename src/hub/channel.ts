/** A channel as this node knows it: followed once, whatever the number of its streams and formats. */
import type { Log } from '../log/log.js'
import type { EphemeralEvent } from '../wire/event.js'
import type { Format } from '../wire/sse.js'
import type { Load } from './activity.js'
import { Feed } from './feed.js'
import type { PageBudget } from './pages.js'

/** Told of news on a channel; an ephemeral event exists nowhere else than in this call. */
export type Waiter = (ephemeral: EphemeralEvent | undefined) => void

export class Channel {
  readonly name: string
  readonly partition: number
  readonly feeds: Feed[] = []
  /** Long polls that wait for news. */
  readonly waiters = new Set<Waiter>()
  /** Counts losses of continuity: what was read before one says nothing about what came after it. */
  generation = 0
  /** Counts those after which the store may be another one: what was read before may not be there. */
  lineage = 0
  /** When the last subscription or waiter left, in ms; 0 while there is one. */
  idleSince = 0
  /** What goes on here; from the first event on. */
  load: Load | undefined

  readonly #log: Log
  #following: Promise<void> | undefined

  constructor(name: string, log: Log) {
    this.name = name
    this.partition = log.partitionOf(name)
    this.#log = log
  }

  /** The feed of a format; made when it is first asked for. */
  feed(format: Format, budget: PageBudget): Feed {
    let feed = this.feeds.find((candidate) => candidate.format === format)
    if (feed === undefined) {
      feed = new Feed(this, format, this.#log.partitions === 1, budget)
      this.feeds.push(feed)
    }
    return feed
  }

  /** Resolves once entries are sure to come; anew after an interruption. */
  follow(): Promise<void> {
    this.#following ??= this.#log.follow(this.name)
    this.#following.catch(() => {
      this.#following = undefined
    })
    return this.#following
  }

  /** Continuity is lost, for a while or at one place. `gone`: the channel must be followed anew. */
  interrupt(gone: boolean): void {
    this.generation++
    if (gone) {
      this.lineage++
      this.#following = undefined
    }
    for (const feed of this.feeds) {
      if (gone) feed.forget()
      else feed.detach()
    }
  }

  wake(ephemeral?: EphemeralEvent): void {
    for (const waiter of this.waiters) waiter(ephemeral)
  }

  /** Whether nobody is interested. */
  get idle(): boolean {
    return this.waiters.size === 0 && this.feeds.every((feed) => feed.subscriptions.size === 0)
  }

  /** Streams that read the channel now. */
  get subscribers(): number {
    let sum = this.waiters.size
    for (const feed of this.feeds) sum += feed.subscriptions.size
    return sum
  }
}
