/**
 * What this gateway knows to have been there: for each channel the newest position that it acknowledged
 * or delivered, for as long as replication may take. A server that was promoted, or restarted, can't
 * know what it lacks; whoever said "stored" or passed an event on can.
 *
 *     note ─→ young ── 15 s ─→ old ── 15 s ─→ forgotten: only the newest order
 *
 * By tag, for a master that was replaced may have gone on acknowledging for a while: its positions must
 * not hide those of its successor.
 */
import { formatPosition, type Position } from '../../wire/position.js'
import { type History, lostAfter } from './epochs.js'
import { NAMED_LOSSES, WITNESSED_CHANNELS } from './limits.js'
import { RS } from './records.js'

/** Something that is missing. */
export interface Loss {
  /** Undefined: anything may be missing, in any channel. */
  readonly channel: string | undefined
  /** The newest position that is known to be missing. */
  readonly order: number
  /** The newest that was kept of its epoch. */
  readonly end: Position
}

export interface Witness {
  /** A position was acknowledged or delivered. */
  note(channel: string, order: number, tag: number): void
  /** What a store with this history lacks. */
  judge(history: History): Loss[]
  /** The losses by this history have been told. What they were is remembered a while longer, in case that is lost, too. */
  told(history: History): void
  /** Another half of the time has passed. */
  rotate(): void
  /** Nothing of what was there is there any more. */
  clear(): void
}

/** The losses from one epoch, for the log. */
export interface LossSummary {
  /** How many are known to have lost something. */
  readonly channels: number
  /** Some of them. */
  readonly some: readonly string[]
  /** The id up to which everything was kept. */
  readonly end: string
  /** Any other channel may have lost something, too. */
  readonly vague: boolean
}

export function summarize(losses: readonly Loss[]): LossSummary[] {
  const byEnd = new Map<string, Loss[]>()
  for (const loss of losses) {
    const end = formatPosition(loss.end.order, loss.end.tag)
    const group = byEnd.get(end)
    if (group === undefined) byEnd.set(end, [loss])
    else group.push(loss)
  }
  return Array.from(byEnd, ([end, group]) => {
    const names = group.flatMap(({ channel }) => channel || [])
    const vague = names.length < group.length
    return { channels: names.length, some: names.slice(0, NAMED_LOSSES), end, vague }
  })
}

interface Generation {
  /** By tag, then channel. */
  readonly orders: Map<number, Map<string, number>>
  /** The newest order by tag, of what is in `orders` and what there was no room for. */
  readonly newest: Map<number, number>
  /** The newest by tag that there was no room for. */
  readonly skipped: Map<number, number>
  size: number
}

function generation(): Generation {
  return { orders: new Map(), newest: new Map(), skipped: new Map(), size: 0 }
}

function raise<K>(map: Map<K, number>, key: K, order: number): void {
  if (order > (map.get(key) ?? 0)) map.set(key, order)
}

export function createWitness(capacity: number = WITNESSED_CHANNELS): Witness {
  let young = generation()
  let old = generation()
  let forgotten = new Map<number, number>()
  let answered: History | undefined

  /** Without what is lost by this history: it was told. */
  function kept(newest: ReadonlyMap<number, number>, history: History): Map<number, number> {
    const rest = new Map<number, number>()
    for (const [tag, order] of newest) {
      const end = lostAfter(history, { order, tag })
      if (end === undefined) rest.set(tag, order)
      else if (end.tag === tag) rest.set(tag, end.order)
    }
    return rest
  }

  return {
    note(channel, order, tag) {
      const { newest, skipped } = young
      raise(newest, tag, order)
      let orders = young.orders.get(tag)
      if (orders === undefined) {
        orders = new Map()
        young.orders.set(tag, orders)
      }
      const known = orders.get(channel)
      if (known === undefined) {
        if (young.size >= capacity) {
          raise(skipped, tag, order)
          return
        }
        young.size++
      }
      if (known === undefined || order > known) orders.set(channel, order)
    },

    judge(history) {
      const losses = new Map<string, Loss>()
      const add = (channel: string | undefined, order: number, tag: number) => {
        const end = lostAfter(history, { order, tag })
        if (end === undefined) return
        const key = `${end.order}:${end.tag}${RS}${channel ?? ''}`
        const known = losses.get(key)
        if (known === undefined || order > known.order) losses.set(key, { channel, order, end })
      }
      for (const map of [forgotten, old.skipped, young.skipped]) {
        for (const [tag, order] of map) add(undefined, order, tag)
      }
      for (const { orders } of [old, young]) {
        for (const [tag, channels] of orders) {
          for (const [channel, order] of channels) add(channel, order, tag)
        }
      }
      return [...losses.values()]
    },

    told(history) {
      answered = history
      forgotten = kept(forgotten, history)
    },

    rotate() {
      const rest = answered === undefined ? old.newest : kept(old.newest, answered)
      for (const [tag, order] of rest) raise(forgotten, tag, order)
      old = young
      young = generation()
    },

    clear() {
      young = generation()
      old = generation()
      forgotten = new Map()
      answered = undefined
    },
  }
}
