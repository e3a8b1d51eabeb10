/** Where attacks come from: lanes of them at once, each with chance of its own. */
import type { Arena, Attack } from './attacks/attack.js'
import { QUICK, SLOW } from './attacks/index.js'
import { chanceOf, weighted } from './chance.js'
import type { ComplaintKind } from './complaints.js'
import type { Door } from './door.js'
import { type End, type Line, openLine } from './line.js'

/** Attacks at once. */
const QUICK_LANES = 24
const SLOW_LANES = 60
/** In all, should they be over faster than thought. */
const MAX_ATTACKS = 300_000
/** Numbers of slow attacks begin here, so that a number alone says what an attack is. */
const SLOW_FROM = 1_000_000
/** Tickets that the log is searched for: where one stands, all do. */
const MAX_SECRETS = 5_000
/** Bytes of what was sent that a complaint repeats. */
const EXCERPT = 600

export interface FrontFigures {
  /** Attacks by name. */
  readonly attacks: ReadonlyMap<string, number>
  /** Request lines that were sent in one piece. */
  readonly requests: number
  /** Answers by status, whole or not. */
  readonly statuses: ReadonlyMap<number, number>
  /** Connections by who ended them. */
  readonly ends: ReadonlyMap<End, number>
  /** Open at one time, at most. */
  readonly peak: number
}

export interface Front {
  readonly figures: FrontFigures
  /** What has been sent and may not stand in the log. */
  readonly secrets: ReadonlySet<string>
  /** Connections that attackers hold. */
  readonly open: number
  /** Attacks that go on, for whoever finds something and wonders whose it is. */
  underway(): string
  /** The attack that a connection was of, by its address and port. */
  attackOf(peer: string): string | undefined
  /** Attacks for so many ms, then hangs up what is left. */
  attack(ms: number): Promise<void>
  /** These alone, one after the other. */
  replay(from: number, to: number): Promise<void>
  /** For good. */
  stop(): void
}

export interface FrontOptions {
  readonly seed: number
  readonly door: Door
  readonly port: number
  readonly complain: (kind: ComplaintKind, what: string) => void
}

export function createFront({ seed, door, port, complain }: FrontOptions): Front {
  const attacks = new Map<string, number>()
  const statuses = new Map<number, number>()
  const ends = new Map<End, number>()
  const lines = new Set<Line>()
  const running = new Map<number, string>()
  const secrets = new Set(door.secrets)
  const origins = new Map<string, string>()
  let quick = 0
  let slow = SLOW_FROM
  let peak = 0
  let requests = 0
  let stopped = false

  async function run(n: number): Promise<void> {
    const random = chanceOf(seed, n)
    const attack = weighted<Attack>(random, n < SLOW_FROM ? QUICK : SLOW)
    const name = `#${n} ${attack.name}`
    running.set(n, name)
    bump(attacks, attack.name)
    const tell = (what: string, { sent, answers }: Line): string => {
      const got = answers.map(({ status }) => status).join(' ')
      return `${what}\n    ${name}: ${excerpt(sent)}\n    answered: ${got || 'nothing'}`
    }
    const arena: Arena = {
      ...{ random, door, port },
      dial: async (headOnly = 'never') => {
        const line = await openLine({
          ...{ port, headOnly },
          // Limits that count addresses are to be met, but not by the well-behaved.
          from: `127.0.1.${1 + (n % 16)}`,
          onAnswer: ({ status }) => bump(statuses, status),
          onFault: (kind, what, line) => complain(kind, tell(what, line)),
          onOver(end, line) {
            lines.delete(line)
            requests += line.requests
            bump(ends, end)
          },
        })
        if (line.over === undefined) lines.add(line)
        origins.set(line.name, name)
        peak = Math.max(peak, lines.size)
        if (stopped) line.hangUp()
        return line
      },
      secret(value) {
        if (secrets.size < MAX_SECRETS) secrets.add(value)
      },
      fault: (kind, what, line) => complain(kind, tell(what, line)),
    }
    try {
      await attack.run(arena)
    } finally {
      running.delete(n)
    }
  }

  async function attackFor(ms: number): Promise<void> {
    const until = performance.now() + ms
    const more = () => !stopped && performance.now() < until && quick < MAX_ATTACKS
    const lane = async (next: () => number): Promise<void> => {
      while (more()) await run(next())
    }
    const lanes = (count: number, next: () => number) => {
      return Promise.all(Array.from({ length: count }, () => lane(next)))
    }
    const patient = lanes(SLOW_LANES, () => slow++)
    await lanes(QUICK_LANES, () => quick++)
    for (const line of [...lines]) line.hangUp()
    await patient
  }

  return {
    figures: {
      ...{ attacks, statuses, ends },
      get peak() {
        return peak
      },
      get requests() {
        return requests
      },
    },
    secrets,
    get open() {
      return lines.size
    },
    underway: () => [...running.values()].join(', '),
    attackOf: (peer) => origins.get(peer),
    attack: attackFor,
    async replay(from, to) {
      for (let n = from; n <= to && !stopped; n++) await run(n)
    },
    stop() {
      stopped = true
      for (const line of [...lines]) line.hangUp()
    },
  }
}

function bump<T>(counts: Map<T, number>, what: T): void {
  counts.set(what, (counts.get(what) ?? 0) + 1)
}

function excerpt(bytes: Buffer): string {
  const text = JSON.stringify(bytes.toString('latin1', 0, EXCERPT))
  return bytes.length > EXCERPT ? `${text} and ${bytes.length - EXCERPT} bytes more` : text
}
