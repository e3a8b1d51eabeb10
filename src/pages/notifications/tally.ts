/** Counts what this tab has sent and what has come back of it. Really: by key, each one. */
import type { Note } from './feed.js'

export interface Count {
  readonly sent: number
  readonly shown: number
  /** Sent, and nothing that was sent later has overtaken them. */
  readonly underway: number
  /** Overtaken: events of a channel come in order, so these would never come. */
  readonly missing: number
  readonly doubled: number
}

/** One that was sent, as it outlives a reload. */
export interface Sent {
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Until the gateway has accepted it. */
  note?: Note | undefined
  shown: number
}

/** `kept`: what the page before this one has sent. The log tells that again, and that is no double. */
export function createTally(kept: readonly Sent[] = [], now: () => number = Date.now) {
  /** In the order of sending. */
  const sent = new Map(kept.map((one) => [one.key, { ...one }]))
  const before = new Set(kept.filter(({ shown }) => shown > 0).map(({ key }) => key))

  return {
    sent(key: string, note: Note): void {
      sent.set(key, { key, at: now(), note, shown: 0 })
    },
    accepted(key: string): void {
      const one = sent.get(key)
      if (one !== undefined) one.note = undefined
    },
    /** The gateway has refused it. */
    refused(key: string): void {
      sent.delete(key)
    },
    /** Milliseconds that it took; undefined: it isn't this tab's, or was seen before the reload. */
    shown(key: string | undefined): number | undefined {
      const one = key === undefined ? undefined : sent.get(key)
      if (one === undefined || before.delete(one.key)) return undefined
      one.shown++
      return now() - one.at
    },
    get all(): readonly Sent[] {
      return [...sent.values()]
    },
    get count(): Count {
      const all = [...sent.values()]
      const last = all.findLastIndex(({ shown }) => shown > 0)
      const unseen = (some: typeof all) => some.filter(({ shown }) => shown === 0).length
      return {
        sent: all.length,
        shown: all.length - unseen(all),
        underway: unseen(all.slice(last + 1)),
        missing: unseen(all.slice(0, last + 1)),
        doubled: all.filter(({ shown }) => shown > 1).length,
      }
    },
  }
}
