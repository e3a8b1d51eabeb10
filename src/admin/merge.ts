/** Many nodes as one. */
import type { ChannelStanding, StreamStanding } from '../hub/survey.js'
import { COUNTERS, formatPosition } from '../wire/position.js'
import type { NodeReport, Report } from './report.js'

/** A channel over all nodes. */
export interface ChannelRow {
  readonly channel: string
  /** Streams and waiting polls that read it. */
  readonly subscribers: number
  /** Events a second. */
  readonly rate: number
  /** Id of the newest event that a node has seen, and when that was; null: none has seen any. */
  readonly last: string | null
  readonly time: number | null
  /** Nodes that tell of it. */
  readonly nodes: number
}

export interface StreamRow extends StreamStanding {
  readonly node: string
}

/** What rows can be ordered by. */
export const CHANNEL_ORDERS = ['rate', 'subscribers', 'last', 'channel'] as const
export type ChannelOrder = (typeof CHANNEL_ORDERS)[number]

/** What all nodes have together. What they received isn't added: an event comes to each that reads its channel. */
export function sumOf(nodes: readonly NodeReport[]) {
  const sum = (of: (node: NodeReport) => number) => nodes.reduce((all, node) => all + of(node), 0)
  return {
    streams: sum((node) => node.streams),
    polls: sum((node) => node.polls),
    lagging: sum((node) => node.lagging),
    rates: {
      published: tenths(sum((node) => node.rates.published)),
      delivered: tenths(sum((node) => node.rates.delivered)),
    },
    totals: {
      published: sum((node) => node.totals.published),
      delivered: sum((node) => node.totals.delivered),
      refused: sum((node) => node.totals.refused),
      gaps: sum((node) => node.totals.gaps),
      stalls: sum((node) => node.totals.stalls),
      slow: sum((node) => node.totals.slow),
      interruptions: sum((node) => node.totals.interruptions),
    },
  }
}

/** Each channel once. */
export function channelsOf(reports: readonly Report[], order: ChannelOrder): ChannelRow[] {
  const groups = new Map<string, ChannelStanding[]>()
  for (const { lists } of reports) {
    for (const standing of lists?.channels ?? []) {
      const group = groups.get(standing.channel)
      if (group === undefined) groups.set(standing.channel, [standing])
      else group.push(standing)
    }
  }
  return [...groups.values()].map(united).sort(ORDERS[order])
}

function united(standings: readonly ChannelStanding[]): ChannelRow {
  const newest = standings.reduce((a, b) => (b.order > a.order ? b : a))
  const published = standings.reduce((sum, it) => sum + it.publishRate, 0)
  // Published through nodes that say nothing of it, or by a road that isn't counted: then by what came.
  const received = Math.max(...standings.map((it) => it.receiveRate))
  const seen = newest.order > 0
  return {
    channel: newest.channel,
    subscribers: standings.reduce((sum, it) => sum + it.subscribers, 0),
    rate: tenths(Math.max(published, received)),
    last: seen ? formatPosition(newest.order, newest.tag) : null,
    time: seen ? Math.floor(newest.order / COUNTERS) : null,
    nodes: standings.length,
  }
}

const byName = (a: ChannelRow, b: ChannelRow) =>
  a.channel < b.channel ? -1 : Number(a.channel > b.channel)
const ORDERS: Readonly<Record<ChannelOrder, (a: ChannelRow, b: ChannelRow) => number>> = {
  rate: (a, b) => b.rate - a.rate || b.subscribers - a.subscribers || byName(a, b),
  subscribers: (a, b) => b.subscribers - a.subscribers || b.rate - a.rate || byName(a, b),
  last: (a, b) => (b.time ?? 0) - (a.time ?? 0) || byName(a, b),
  channel: byName,
}

/** The worst off first. */
export function streamsOf(reports: readonly Report[]): StreamRow[] {
  return reports
    .flatMap(({ node, lists }) => (lists?.streams ?? []).map((it) => ({ ...it, node: node.id })))
    .sort((a, b) => b.stalledMs - a.stalledMs || b.buffered - a.buffered || a.opened - b.opened)
}

const tenths = (value: number) => Math.round(value * 10) / 10
