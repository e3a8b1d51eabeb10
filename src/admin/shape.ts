/**
 * What a report of another node has to be like to be of use here. It may be of another version, and
 * one that doesn't fit would break the answer of every node: it is left out. So what is added to a
 * report is `Type.Optional` here for as long as nodes that don't tell it may run beside this one; what
 * newer ones tell beside all this is let through.
 */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Phase } from '../hub/subscription.js'
import { COUNTERS, MAX_MS, TAGS } from '../wire/position.js'
import type { Format } from '../wire/sse.js'
import type { Report } from './report.js'

const Text = Type.String()
const TextOrNone = Type.Union([Text, Type.Null()])
const Figure = Type.Number()

const Rates = { published: Figure, received: Figure, delivered: Figure }

const Node = Type.Object({
  ...{ id: Text, host: Text, pid: Figure, version: Text, started: Figure },
  ...{ draining: Type.Boolean(), fault: TextOrNone },
  ...{ streams: Figure, maxStreams: Figure, polls: Figure, lagging: Figure, channels: Figure },
  rates: Type.Object(Rates),
  totals: Type.Object({
    ...Rates,
    ...{ refused: Figure, gaps: Figure, stalls: Figure, slow: Figure, interruptions: Figure },
  }),
  refusals: Type.Record(Text, Figure),
  process: Type.Object({ rss: Figure, heap: Figure, busy: Figure, delay: Figure }),
  past: Type.Object({
    every: Figure,
    published: Type.Array(Figure),
    delivered: Type.Array(Figure),
  }),
})

const Channel = Type.Object({
  channel: Text,
  ...{ subscribers: Figure, publishRate: Figure, receiveRate: Figure },
  order: Type.Integer({ minimum: 0, exclusiveMaximum: MAX_MS * COUNTERS }),
  tag: Type.Integer({ minimum: 0, exclusiveMaximum: TAGS }),
})

const Stream = Type.Object({
  ...{ session: TextOrNone, subject: TextOrNone, address: TextOrNone, opened: Figure },
  ...{ channels: Type.Array(Text), count: Figure, stalledMs: Figure, buffered: Figure },
  // Words that are only passed on: new ones do no harm.
  ...{ format: Type.Unsafe<Format>(Text), phase: Type.Unsafe<Phase>(Text) },
})

const Lists = Type.Object({ channels: Type.Array(Channel), streams: Type.Array(Stream) })
const shape = Compile(Type.Object({ node: Node, lists: Type.Optional(Lists) }))

/** The report in a text; undefined where it is none. */
export function readReport(text: string): Report | undefined {
  try {
    const report: unknown = JSON.parse(text)
    return shape.Check(report) ? report : undefined
  } catch {
    return undefined
  }
}
