/**
 * Judges a run: what was acknowledged against what each reader saw. Pure, and knows nothing of the
 * gateway but the grammar of ids. `test/checker.test.ts` shows that it cries when it should.
 */
import type { Seen } from './sse-reader.js'

/** An event that was accepted. `data` must name it: no two are alike. */
export interface Acknowledged {
  readonly channel: string
  readonly id: string
  /** JSON text. */
  readonly data: string
  /**
   * Ticks of one logical clock, before the request went out and after its answer came. Where one
   * answer came before another request went out, the ids must say the same.
   */
  readonly sent?: number
  readonly acked?: number
}

/** Something that was sent without an answer: it may have been stored or not. */
export interface Uncertain {
  readonly channel: string
  readonly data: string
}

export interface ReaderRecord {
  readonly name: string
  readonly channels: readonly string[]
  /** The id after which it began; undefined: at the very first. */
  readonly from?: string
  /** The last id that it should have seen; undefined: all. */
  readonly upTo?: string
  /** In the order in which it came. */
  readonly seen: Iterable<Seen>
}

export type ComplaintKind =
  /** acknowledged, due, not seen, and no gap said so */
  | 'missing'
  /** one content under two ids */
  | 'doubled'
  /** the same id twice within one connection */
  | 'repeated'
  /** an id on a channel that isn't later than the one before it */
  | 'disordered'
  /** seen, and nobody sent it */
  | 'invented'
  /** one id for two events */
  | 'ambiguous'
  /** a gap that covers nothing that this reader missed */
  | 'unexplained-gap'
  /** on a channel that the reader never asked for */
  | 'stray'

export interface Complaint {
  readonly kind: ComplaintKind
  readonly reader: string
  readonly channel: string
  readonly id: string
  readonly detail: string
}

/** Compares two ids `<ms>-<n>` of one lineage: by time, then by the counter in the low twelve bits. */
export function compareIds(a: string, b: string): number {
  const [aMs, aN] = a.split('-').map(Number) as [number, number]
  const [bMs, bN] = b.split('-').map(Number) as [number, number]
  return aMs - bMs || (aN % 4096) - (bN % 4096) || aN - bN
}

export interface Run {
  readonly acknowledged: readonly Acknowledged[]
  readonly uncertain?: readonly Uncertain[]
  readonly readers: readonly ReaderRecord[]
  /**
   * The store was made to lose acknowledged events. What is missing must still lie in a gap that was
   * told, but a gap may be wider than what this reader missed, and what was lost with its idempotency
   * key, seen by some, may have been sent again and come under another id. Order begins anew at a gap:
   * what it names may include what this reader was given by a server that was replaced meanwhile.
   */
  readonly lossy?: boolean
}

/** No fault where the store itself lost events. */
const LOSSY_MAY: ReadonlySet<ComplaintKind> = new Set(['unexplained-gap', 'doubled'])

export function check(run: Run): Complaint[] {
  const { lossy = false } = run
  const complaints: Complaint[] = []
  const sent = new Set<string>()
  const contentOf = new Map<string, string>()
  const byChannel = new Map<string, Acknowledged[]>()

  /** Remembers which event an id names, and cries where it named another. */
  const name = (reader: string, channel: string, id: string, content: string): void => {
    const known = contentOf.get(id)
    if (known === undefined) contentOf.set(id, content)
    else if (known !== content) {
      complaints.push({ kind: 'ambiguous', reader, channel, id, detail: `${known} and ${content}` })
    }
  }

  for (const event of run.acknowledged) {
    const content = contentKey(event.channel, event.data)
    sent.add(content)
    name('publisher', event.channel, event.id, content)
    const list = byChannel.get(event.channel)
    if (list === undefined) byChannel.set(event.channel, [event])
    else list.push(event)
  }
  for (const { channel, data } of run.uncertain ?? []) sent.add(contentKey(channel, data))
  for (const [channel, list] of byChannel) {
    list.sort((a, b) => compareIds(a.id, b.id))
    complaints.push(...checkPublishOrder(channel, list))
  }
  for (const reader of run.readers) {
    complaints.push(...checkReader(reader, byChannel, sent, lossy, name))
  }
  return lossy ? complaints.filter(({ kind }) => !LOSSY_MAY.has(kind)) : complaints
}

function contentKey(channel: string, data: string): string {
  return `${channel} ${data}`
}

/** In the order of ids nothing may follow that was answered before its forerunner was even sent. */
function checkPublishOrder(channel: string, sorted: readonly Acknowledged[]): Complaint[] {
  const complaints: Complaint[] = []
  let earliestAnswer = Number.POSITIVE_INFINITY
  for (const event of [...sorted].reverse()) {
    if (event.sent !== undefined && event.sent > earliestAnswer) {
      const detail = 'sent after a later id on the channel was answered'
      complaints.push({ kind: 'disordered', reader: 'publisher', channel, id: event.id, detail })
    }
    earliestAnswer = Math.min(earliestAnswer, event.acked ?? Number.POSITIVE_INFINITY)
  }
  return complaints
}

interface ToldGap {
  readonly channel: string
  readonly after: string | null
  readonly next: string
}

function checkReader(
  reader: ReaderRecord,
  byChannel: ReadonlyMap<string, readonly Acknowledged[]>,
  sent: ReadonlySet<string>,
  lossy: boolean,
  name: (reader: string, channel: string, id: string, content: string) => void,
): Complaint[] {
  const complaints: Complaint[] = []
  const cry = (kind: ComplaintKind, channel: string, id: string, detail: string): void => {
    complaints.push({ kind, reader: reader.name, channel, id, detail })
  }
  const wanted = new Set(reader.channels)
  const got = new Set<string>()
  const idOf = new Map<string, string>()
  const newest = new Map<string, string>()
  const newestHere = new Map<string, string>()
  const gaps: ToldGap[] = []
  let connection = 0

  for (const it of reader.seen) {
    if (it.connection !== connection) {
      connection = it.connection
      newestHere.clear()
    }
    if (it.kind === 'control' && it.name === 'stream.gap') {
      const gap = it.data as unknown as ToldGap
      gaps.push(gap)
      if (lossy) for (const map of [newest, newestHere]) map.delete(gap.channel)
    }
    // Ephemeral events have no id and promise nothing.
    if (it.kind !== 'event' || it.id === null) continue
    const { channel, id } = it
    const content = contentKey(channel, it.data)
    if (!wanted.has(channel)) cry('stray', channel, id, 'not asked for')
    if (!sent.has(content)) cry('invented', channel, id, it.data)
    name(reader.name, channel, id, content)

    const here = newestHere.get(channel)
    if (here !== undefined && compareIds(id, here) === 0) {
      cry('repeated', channel, id, 'twice within one connection')
    } else if (here !== undefined && compareIds(id, here) < 0) {
      cry('disordered', channel, id, `after ${here} on the same connection`)
    }
    newestHere.set(channel, id)

    if (got.has(id)) continue
    got.add(id)
    const other = idOf.get(content)
    if (other !== undefined && other !== id) cry('doubled', channel, id, `was ${other} before`)
    idOf.set(content, id)
    const last = newest.get(channel)
    if (last !== undefined && compareIds(id, last) < 0) {
      cry('disordered', channel, id, `first seen after ${last}`)
    } else newest.set(channel, id)
  }

  const used = new Set<ToldGap>()
  for (const channel of wanted) {
    for (const event of byChannel.get(channel) ?? []) {
      if (reader.from !== undefined && compareIds(event.id, reader.from) <= 0) continue
      if (reader.upTo !== undefined && compareIds(event.id, reader.upTo) > 0) continue
      if (got.has(event.id)) continue
      const gap = gaps.find((it) => it.channel === channel && covers(it, event.id))
      if (gap === undefined) cry('missing', channel, event.id, event.data)
      else used.add(gap)
    }
  }
  for (const gap of gaps) {
    if (!used.has(gap)) cry('unexplained-gap', gap.channel, gap.next, 'nothing was missed in it')
  }
  return complaints
}

function covers(gap: ToldGap, id: string): boolean {
  return (gap.after === null || compareIds(id, gap.after) > 0) && compareIds(id, gap.next) < 0
}
