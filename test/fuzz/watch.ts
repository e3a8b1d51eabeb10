/** The gateway while it is attacked: does it live, what does it log, what does it hold. */
import { ask } from '../routes/support/ask.js'
import type { GatewayProcess } from '../support/gateway.js'
import type { ComplaintKind } from './complaints.js'
import type { Door } from './door.js'
import { readPeers, readVitals, type Vitals } from './vitals.js'

/** ms between two looks. */
const LOOK_MS = 200
/** ms in which /healthz answers, also where one core serves attackers and attacked. */
const HEALTHY_MS = 10_000
/** Looks at what is held without attackers; one alone may meet a publish, or the moment between two polls. */
const BASE_LOOKS = 9

export interface Resting {
  /** Resident memory in bytes, all garbage collected. */
  readonly rss: number
  /** Bytes that JavaScript still holds then. */
  readonly used: number
  readonly descriptors: number
  /** ms until all that attackers held was back. */
  readonly settled: number
}

export interface WatchFigures {
  readonly peakRss: number
  readonly peakSockets: number
  /** ms that /healthz took at most. */
  readonly slowest: number
  readonly logLines: number
}

export interface Watch {
  readonly figures: WatchFigures
  readonly now: Vitals
  /** The process has ended. */
  readonly over: boolean
  /** Waits until all that attackers held is back; complains of what isn't. Undefined: it has ended. */
  rest(): Promise<Resting | undefined>
  /** Complains where the channel has events. */
  mustBeEmpty(channel: string): Promise<void>
  stop(): void
}

export interface WatchOptions {
  readonly gateway: GatewayProcess
  readonly door: Door
  /** What may not stand in the log. */
  readonly secrets: ReadonlySet<string>
  /** ms in which everything that attackers held is given back. */
  readonly settle: number
  /** What goes on at the moment. */
  readonly underway: () => string
  /** Whose a connection is, by its address and port; undefined: no attacker's. */
  readonly attackOf: (peer: string) => string | undefined
  /** The process is gone: nothing more is to be learned. */
  readonly onEnd: () => void
  readonly complain: (kind: ComplaintKind, what: string) => void
}

/** Notes first what the gateway holds: call it before the attack. */
export async function startWatch(options: WatchOptions): Promise<Watch> {
  const { gateway, door, secrets, settle, underway, complain } = options
  const { pid, url, log } = gateway
  let peakRss = 0
  let peakSockets = 0
  let slowest = 0
  let logged = 0
  let stopped = false
  let now: Vitals = { rss: 0, descriptors: 0, sockets: 0 }

  const during = () => `\n    while: ${underway() || 'nothing'}`
  void gateway.ended.then((how) => {
    if (stopped) return
    stopped = true
    complain('died', `the process ended: ${how}${during()}\n${log.slice(-12).join('\n')}`)
    options.onEnd()
  })

  async function look(): Promise<void> {
    for (; logged < log.length; logged++) {
      const wrong = wrongInLog(log[logged]!, secrets)
      if (wrong !== undefined) complain('logged', `${wrong}: ${log[logged]}${during()}`)
    }
    const vitals = await readVitals(pid)
    if (vitals === undefined) return
    now = vitals
    peakRss = Math.max(peakRss, vitals.rss)
    peakSockets = Math.max(peakSockets, vitals.sockets)
  }

  async function pulse(): Promise<void> {
    const from = performance.now()
    try {
      const signal = AbortSignal.timeout(HEALTHY_MS)
      const { status } = await ask(`${url}/healthz`, { signal })
      if (status !== 200) complain('unhealthy', `/healthz: ${status}${during()}`)
    } catch (error) {
      if (!stopped) complain('unhealthy', `/healthz: ${error}${during()}`)
    }
    slowest = Math.max(slowest, performance.now() - from)
  }

  async function streams(): Promise<number> {
    const { json } = await ask(`${url}/readyz`, { signal: AbortSignal.timeout(HEALTHY_MS) })
    return json.streams
  }

  const looking = (async () => {
    while (!stopped) {
      await Promise.all([look(), pulse(), pause(LOOK_MS)])
    }
  })()

  const looks: { held: number; open: number }[] = []
  while (looks.length < BASE_LOOKS && !stopped) {
    await look()
    looks.push({ held: now.descriptors, open: await streams() })
    await pause(LOOK_MS / 2)
  }
  const base = {
    held: middle(looks.map((it) => it.held)),
    open: middle(looks.map((it) => it.open)),
  }

  /** What is still held beyond the well-behaved, in words. */
  async function surplus(): Promise<Map<ComplaintKind, string>> {
    const found = new Map<ComplaintKind, string>()
    const open = await streams().catch(() => Number.POSITIVE_INFINITY)
    await look()
    if (open > base.open) found.set('streams', `${open} streams are open, ${base.open} are right`)
    if (now.descriptors > base.held) {
      const what = `${now.descriptors} are open, ${base.held} were before the attack`
      const peers = (await readPeers(pid)).flatMap(({ peer, state }) => {
        const attack = options.attackOf(peer)
        return attack === undefined ? [] : [`${attack} (state ${state})`]
      })
      found.set('descriptors', `${what}; attackers’: ${peers.join(', ') || 'none'}`)
    }
    return found
  }

  return {
    figures: {
      get peakRss() {
        return peakRss
      },
      get peakSockets() {
        return peakSockets
      },
      get slowest() {
        return slowest
      },
      get logLines() {
        return logged
      },
    },
    get now() {
      return now
    },
    get over() {
      return stopped
    },
    async rest() {
      const from = performance.now()
      const late = from + settle
      // Each by itself: they needn't be met at one moment.
      const left = new Map<ComplaintKind, string>([
        ['streams', ''],
        ['descriptors', ''],
      ])
      while (left.size > 0 && performance.now() < late && !stopped) {
        const found = await surplus()
        for (const kind of [...left.keys()]) {
          const what = found.get(kind)
          if (what === undefined) left.delete(kind)
          else left.set(kind, what)
        }
        if (left.size > 0) await pause(LOOK_MS)
      }
      const settled = performance.now() - from
      if (stopped) return undefined
      for (const [kind, what] of left) complain(kind, `after ${settle} ms ${what}`)
      const line = gateway.said('"collected"', log.length)
      process.kill(pid, 'SIGWINCH')
      const told = await Promise.race([line, gateway.ended.then(() => undefined)])
      if (told === undefined) return undefined
      const { used } = JSON.parse(told) as { used: number }
      await look()
      return { rss: now.rss, used, descriptors: now.descriptors, settled }
    },
    async mustBeEmpty(channel) {
      if (stopped) return
      const target = `${url}/v1/channels?channel=${encodeURIComponent(channel)}`
      const { status, json, text } = await ask(target, { headers: { ...door.publisher } })
      if (status !== 200) complain('unhealthy', `/v1/channels: ${status} ${text}`)
      else if (json.events > 0) complain('smuggled', `${json.events} events`)
    },
    async stop() {
      if (stopped) return
      stopped = true
      await looking
    },
  }
}

/** A line of the log that shouldn't be there, and why. */
function wrongInLog(line: string, secrets: ReadonlySet<string>): string | undefined {
  for (const secret of secrets) if (line.includes(secret)) return 'a secret'
  let level: unknown
  try {
    level = (JSON.parse(line) as { level?: unknown }).level
  } catch {
    return 'not a line of the log'
  }
  if (typeof level !== 'number' || level >= 50) return 'an error'
  return line.includes('"stack"') ? 'a stack' : undefined
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
