/** How well a connection carries, from the browser's own statistics. */

export interface Quality {
  /** Round trip in milliseconds. */
  readonly rtt: number | undefined
  /** Share of the packets that were lost since the last look, 0–1. */
  readonly loss: number
  /** Bits per second since the last look. */
  readonly sent: number
  readonly received: number
  /** By way of a TURN server. */
  readonly relayed: boolean
  readonly grade: 'good' | 'fair' | 'poor'
}

interface Totals {
  readonly time: number
  readonly sent: number
  readonly received: number
  readonly packets: number
  readonly lost: number
}

/** What of the statistics' many members is looked at. */
interface Entry {
  readonly id: string
  readonly type: string
  readonly timestamp: number
  readonly [name: string]: unknown
}

/** Beyond these a talk becomes work: ITU-T G.114 for the delay (one way), experience for the loss. */
const GOOD = { rtt: 300, loss: 0.02 }
const FAIR = { rtt: 600, loss: 0.08 }

/** Gives the quality since it was asked last; undefined while nothing is connected. */
export function createQuality(): (pc: RTCPeerConnection) => Promise<Quality | undefined> {
  let before: Totals | undefined
  let of: RTCPeerConnection | undefined

  return async (pc) => {
    const entries = new Map<string, Entry>()
    for (const [id, entry] of await pc.getStats()) entries.set(id, entry as Entry)
    if (of !== pc) before = undefined
    of = pc
    const pair = selectedPair(entries)
    if (pair === undefined) return undefined
    const now = totals(entries, pair)
    const last = before ?? { ...now, time: now.time - 1000 }
    before = now
    const seconds = Math.max(0.001, (now.time - last.time) / 1000)
    const lost = Math.max(0, now.lost - last.lost)
    const expected = lost + Math.max(0, now.packets - last.packets)
    const seen = {
      rtt: numeric(pair.currentRoundTripTime, 1000),
      loss: expected === 0 ? 0 : lost / expected,
    }
    return {
      ...seen,
      sent: Math.max(0, ((now.sent - last.sent) * 8) / seconds),
      received: Math.max(0, ((now.received - last.received) * 8) / seconds),
      relayed: [pair.localCandidateId, pair.remoteCandidateId].some(
        (id) => entries.get(id as string)?.candidateType === 'relay',
      ),
      grade: grade(seen),
    }
  }
}

function selectedPair(entries: ReadonlyMap<string, Entry>): Entry | undefined {
  const all = [...entries.values()]
  const transport = all.find(({ type }) => type === 'transport')
  const selected = transport?.selectedCandidatePairId
  // Firefox has no entry for the transport and marks the pair instead.
  const marked = (entry: Entry) => entry.type === 'candidate-pair' && entry.selected === true
  return typeof selected === 'string' ? entries.get(selected) : all.find(marked)
}

function totals(entries: ReadonlyMap<string, Entry>, pair: Entry): Totals {
  let packets = 0
  let lost = 0
  for (const entry of entries.values()) {
    if (entry.type !== 'inbound-rtp') continue
    packets += numeric(entry.packetsReceived) ?? 0
    lost += numeric(entry.packetsLost) ?? 0
  }
  return {
    time: pair.timestamp,
    sent: numeric(pair.bytesSent) ?? 0,
    received: numeric(pair.bytesReceived) ?? 0,
    packets,
    lost,
  }
}

function numeric(value: unknown, factor = 1): number | undefined {
  return typeof value === 'number' ? value * factor : undefined
}

function grade({ rtt = 0, loss }: { rtt: number | undefined; loss: number }): Quality['grade'] {
  if (rtt <= GOOD.rtt && loss <= GOOD.loss) return 'good'
  return rtt <= FAIR.rtt && loss <= FAIR.loss ? 'fair' : 'poor'
}
