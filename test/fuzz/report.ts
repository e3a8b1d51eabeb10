/** What a run was like, in numbers. */
import type { Bystanders } from './bystanders.js'
import type { Front } from './front.js'
import type { Resting, Watch } from './watch.js'

export interface Told {
  readonly front: Front
  readonly watch: Watch
  readonly bystanders: Bystanders
  readonly warm: Resting
  readonly end: Resting
}

export function report({ front, watch, bystanders, warm, end }: Told): void {
  const { attacks, requests, statuses, ends, peak } = front.figures
  const { peakRss, peakSockets, slowest, logLines } = watch.figures
  const total = (counts: Iterable<number>) => [...counts].reduce((sum, n) => sum + n, 0)
  const classes = new Map<string, number>()
  for (const [status, n] of statuses) {
    const name = `${Math.floor(status / 100)}xx`
    classes.set(name, (classes.get(name) ?? 0) + n)
  }
  const list = (counts: Iterable<[string | number, number]>) => {
    return [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')
  }
  console.log(
    [
      '',
      `  attacks      ${total(attacks.values())}: ${list(attacks)}`,
      `  requests     ${requests}`,
      `  answers      ${total(statuses.values())}: ${list(classes)}`,
      `               ${list(statuses)}`,
      `  connections  ${total(ends.values())}, ${peak} at once: ${list(named(ends))}`,
      `  memory       ${megabytes(warm.rss)} after the warm-up, ${megabytes(peakRss)} at most, ${megabytes(end.rss)} at the end`,
      `  held by JS   ${megabytes(warm.used)} after the warm-up, ${megabytes(end.used)} at the end`,
      `  descriptors  ${warm.descriptors} after the warm-up, ${peakSockets} sockets at most, ${end.descriptors} at the end`,
      `  settled      ${seconds(warm.settled)} after the warm-up, ${seconds(end.settled)} at the end`,
      `  /healthz     ${Math.round(slowest)} ms at most; ${logLines} lines in the log`,
      `  beside it    ${bystanders.published} events to ${bystanders.held} readers`,
    ].join('\n'),
  )
}

const ENDS = { closed: 'closed by the gateway', reset: 'reset by it', ours: 'by the attacker' }

function named(ends: Iterable<[keyof typeof ENDS, number]>): [string, number][] {
  return [...ends].map(([end, n]) => [ENDS[end], n])
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
