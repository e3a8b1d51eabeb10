/** Counts what this page has sent and what has come back of it. Really: by key, each one. */

export interface Count {
  readonly sent: number
  readonly shown: number
  /** Sent, and nothing that was sent later has overtaken them. */
  readonly underway: number
  /** Overtaken: events of a channel come in order, so these would never come. */
  readonly missing: number
  readonly doubled: number
}

export function createTally(now: () => number = () => performance.now()) {
  /** In the order of sending. */
  const sent = new Map<string, { readonly at: number; shown: number }>()

  return {
    sent(key: string): void {
      sent.set(key, { at: now(), shown: 0 })
    },
    /** The gateway has refused it. */
    refused(key: string): void {
      sent.delete(key)
    },
    /** Milliseconds that it took; undefined: it isn't this page's. */
    shown(key: string | undefined): number | undefined {
      const one = key === undefined ? undefined : sent.get(key)
      if (one === undefined) return undefined
      one.shown++
      return now() - one.at
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
