/** A clock that stands still unless it is moved, with the timers that go by it. */
export interface Clock {
  readonly now: () => number
  readonly later: (run: () => void, ms: number) => () => void
  /** Moves on, and runs what is due on the way. */
  advance(ms: number): void
  /** In how many ms the timers run that are set. */
  due(): readonly number[]
}

export function createClock(start = 1_763_675_123_000): Clock {
  let time = start
  let timers: { readonly at: number; readonly run: () => void }[] = []
  return {
    now: () => time,
    later(run, ms) {
      const timer = { at: time + ms, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((it) => it !== timer)
      }
    },
    advance(ms) {
      const end = time + ms
      for (;;) {
        const next = timers.sort((a, b) => a.at - b.at)[0]
        if (next === undefined || next.at > end) break
        timers.shift()
        time = next.at
        next.run()
      }
      time = end
    },
    due: () => timers.map(({ at }) => at - time).sort((a, b) => a - b),
  }
}
