/**
 * What the connection does next, as a function: happenings in, commands out. It has no socket, no clock
 * and no chance of its own, so a test can be all three.
 *
 *     idle ──want──▶ connecting ──live──▶ live ◀───probe works───┐
 *                      │  ▲                │ silent past a publish │
 *               broken │  │ until          ▼                       │
 *                      ▼  │      no first frame in time ──▶ polling ┘
 *                     waiting        ended: the gateway's own word, or close()
 *
 * Each connection has a number; what an older one still says is not heard.
 */
import {
  backoff,
  CHECK_MS,
  FIRST_FRAME_MS,
  LIVE_MS,
  MAX_RTT_MS,
  MIN_RTT_MS,
  NEVER,
  OFFLINE_MS,
  PATIENCE,
  POLL_SPACING_MS,
  POLL_WAIT_S,
  PROBE_MS,
  SPARE_MS,
} from './pace.js'

/** `stream`: one answer without an end. `poll`: one finite answer after the other, through a proxy that holds bodies back. */
export type Mode = 'stream' | 'poll'

/** Why a client is at its end. `complete`: every channel was closed by its producer. */
export type EndReason = 'closed' | 'complete' | 'refused' | (string & {})

/** How the connection fares. */
export type ClientState =
  /** No channel is subscribed. */
  | { readonly state: 'idle' }
  | { readonly state: 'connecting' }
  /** Events come as they happen. */
  | { readonly state: 'live' }
  /** A proxy holds streams back: events come by long polls, and streaming is tried again now and then. */
  | { readonly state: 'polling' }
  /** Until the next try, in milliseconds since the epoch. */
  | { readonly state: 'waiting'; readonly until: number; readonly reason: string }
  /** The browser says that there is no network. */
  | { readonly state: 'offline' }
  /** Nothing more will come. `error` where a request was refused. */
  | { readonly state: 'ended'; readonly reason: EndReason; readonly error?: Error }

export interface Machine {
  readonly phase: 'idle' | 'open' | 'between' | 'waiting' | 'offline' | 'ended'
  readonly mode: Mode
  /** Number of the newest connection. */
  readonly link: number
  /** When it was opened. */
  readonly opened: number
  /** `stream`: it has caught up. `poll`: one was answered since the mode was chosen. */
  readonly proven: boolean
  /** The stream is a try whether streaming works again. */
  readonly probing: boolean
  /** When it last gave a sign of life. */
  readonly heard: number
  /** When the silence of the open connection has lasted too long. */
  readonly deadline: number
  /** Phases that wait: until then … */
  readonly until: number
  /** … and not before that, whatever happens: the server has asked for it. */
  readonly notBefore: number
  readonly reason: string
  readonly error: Error | undefined
  readonly failures: number
  /** Milliseconds that the server asks to wait before a reconnect. */
  readonly retry: number
  /** Milliseconds between signs of life. */
  readonly heartbeat: number
  /** Milliseconds there and back. */
  readonly rtt: number
  /** Seconds that a poll waits: less where something on the way cuts it off. */
  readonly wait: number
  readonly probeAt: number
  /** The earliest publish of our own that the stream hasn't shown yet, and until when it may. */
  readonly owed: { readonly id: string; readonly by: number } | undefined
  /** A stream was compared with what the log holds, on this network … */
  readonly checked: boolean
  /** … or will be, when it has been silent until then. */
  readonly checkAt: number
  readonly expires: number
  readonly renewAt: number
}

type Linked =
  /** Bytes. `ready`, `live`: the control event of that name. */
  | { readonly type: 'heard'; readonly what: 'bytes' | 'live' }
  | { readonly type: 'heard'; readonly what: 'ready'; readonly heartbeat: number }
  /** A poll was answered, and all of it given to whom it is for. */
  | { readonly type: 'polled'; readonly more: boolean }
  | { readonly type: 'retry'; readonly ms: number }
  | {
      readonly type: 'bye'
      readonly reason: string
      readonly reconnect: boolean
      readonly retry: number
    }
  /** Ended in a way that may pass. `asked`: milliseconds to stay away. */
  | { readonly type: 'broken'; readonly reason: string; readonly asked: number }
  /** The gateway has said no, and would say it again. */
  | { readonly type: 'refused'; readonly error: Error }
  /** 204: nothing is left to wait for. */
  | { readonly type: 'complete' }

export type Happening =
  /** Whether there is anything to read. */
  | { readonly type: 'want'; readonly wanted: boolean }
  /** What is read has changed in a way that only a new opening can tell the server. */
  | { readonly type: 'reopen' }
  | { readonly type: 'online' | 'offline' }
  /** The page is seen again. `restored`: it comes out of the back-forward cache. */
  | { readonly type: 'visible' | 'restored' }
  /** The page is no more, or rests in that cache. */
  | { readonly type: 'left' }
  /** Time has passed. */
  | { readonly type: 'tick' }
  | { readonly type: 'measured'; readonly rtt: number }
  /** A publish was acknowledged that the stream has to show; it has. */
  | { readonly type: 'owed' | 'settled'; readonly id: string }
  /** The stream has shown all that the log has. */
  | { readonly type: 'sound' }
  | { readonly type: 'expiring'; readonly expires: number }
  | { readonly type: 'renewed'; readonly ok: boolean }
  | { readonly type: 'close' }
  | (Linked & { readonly link: number })

export type Command =
  | { readonly type: 'open'; readonly link: number; readonly mode: Mode; readonly wait: number }
  | { readonly type: 'close'; readonly link: number }
  /** Compares the stream with the log: `owed` where that has something newer. */
  | { readonly type: 'check' }
  /** Sends a fresh token. */
  | { readonly type: 'renew' }

export interface Circumstances {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** 0 ≤ … < 1. */
  readonly random: () => number
}

type Draft = { -readonly [K in keyof Machine]: Machine[K] }

export const start: Machine = {
  ...{ phase: 'idle', mode: 'stream', link: 0, opened: 0, proven: false, probing: false },
  ...{ heard: 0, deadline: NEVER, until: 0, notBefore: 0 },
  ...{ reason: '', error: undefined, failures: 0, retry: 1000, heartbeat: 15_000, rtt: 0 },
  ...{ wait: 0, probeAt: 0, owed: undefined },
  ...{ checked: false, checkAt: NEVER },
  ...{ expires: 0, renewAt: NEVER },
}

/** What the page is told. */
export function stateOf(machine: Machine): ClientState {
  const { phase, mode, proven, probing, until, reason, error } = machine
  if (phase === 'waiting') return { state: 'waiting', until, reason }
  if (phase === 'ended') return { state: 'ended', reason, ...(error && { error }) }
  if (phase === 'idle' || phase === 'offline') return { state: phase }
  // A probe takes seconds at most, and the next poll nothing at all.
  if (probing || (mode === 'poll' && proven)) return { state: 'polling' }
  return { state: mode === 'stream' && proven ? 'live' : 'connecting' }
}

/** Whether they say the same: a page renders by the object. */
export function isSame(a: ClientState, b: ClientState): boolean {
  return a.state === b.state && (a as { until?: number }).until === (b as { until?: number }).until
}

/** When `tick` is due; `NEVER`: by nothing that is known now. */
export function wakeAt({ phase, deadline, until, owed, checkAt, renewAt }: Machine): number {
  if (phase === 'idle' || phase === 'ended') return NEVER
  if (phase !== 'open') return Math.min(until, renewAt)
  return Math.min(deadline, owed?.by ?? NEVER, checkAt, renewAt)
}

/** The machine after what has happened, and what is to be done now, in order. */
export function step(
  machine: Machine,
  happening: Happening,
  { now, random }: Circumstances,
): { readonly machine: Machine; readonly commands: readonly Command[] } {
  const m: Draft = { ...machine }
  const commands: Command[] = []
  if (m.phase !== 'ended' || happening.type === 'reopen') react()
  return { machine: m, commands }

  function react(): void {
    if ('link' in happening) {
      // An older connection is not heard, and neither is one that was given up.
      if (happening.link === m.link && m.phase === 'open') onLink(happening)
      return
    }
    switch (happening.type) {
      case 'want':
        if (!happening.wanted) rest('idle')
        else if (m.phase === 'idle') open()
        return
      case 'reopen':
        if (m.phase === 'ended' && m.reason !== 'complete' && m.reason !== 'refused') return
        if (m.phase === 'open' || m.phase === 'between' || m.phase === 'ended') {
          m.error = undefined
          open()
        }
        return
      case 'close':
        end('closed')
        return
      case 'left':
      case 'offline':
        if (m.phase === 'idle') return
        rest('offline')
        // Some machines say so though they have a network: now and then it is tried.
        m.until = now + OFFLINE_MS
        return
      case 'online':
        // Another network may have another proxy.
        m.probeAt = now
        m.checked = false
        hurry(true)
        return
      case 'restored':
        hurry(true)
        return
      case 'visible':
        hurry(now - m.heard > m.heartbeat + SPARE_MS)
        return
      case 'measured':
        // One that was slow for reasons of its own says little of the way.
        m.rtt = Math.min(happening.rtt, Math.max(MIN_RTT_MS, 2 * m.rtt), MAX_RTT_MS)
        return
      case 'owed':
        if (m.mode === 'stream' && m.proven && m.phase === 'open')
          m.owed ??= { id: happening.id, by: now + patience() }
        return
      case 'settled':
        if (m.owed?.id === happening.id) m.owed = undefined
        return
      case 'sound':
        m.checked = true
        return
      case 'expiring':
        m.expires = happening.expires
        renew()
        return
      case 'renewed':
        m.renewAt = NEVER
        if (happening.ok || now >= m.expires) return
        m.renewAt = now + 1000 + random() * 2000
        return
      case 'tick':
        onTick()
        return
    }
  }

  function onLink(it: Linked): void {
    switch (it.type) {
      case 'heard':
        m.heard = now
        if (it.what === 'ready') m.heartbeat = it.heartbeat
        if (it.what === 'live') {
          m.proven = true
          m.probing = false
          m.failures = 0
        }
        m.deadline = now + (m.mode === 'stream' && !m.proven ? caughtUp() : silence())
        // A scanner that holds back what came last shows only when nothing comes after it.
        if (m.mode === 'stream' && m.proven && !m.checked) m.checkAt = now + CHECK_MS
        return
      case 'polled':
        m.proven = true
        m.failures = 0
        m.heard = now
        // As long as nobody cuts it.
        m.wait = m.wait === 0 ? POLL_WAIT_S : m.wait
        m.until = it.more ? now : Math.max(now, m.opened + POLL_SPACING_MS)
        if (now >= m.probeAt) probe()
        else if (m.until <= now) open()
        else m.phase = 'between'
        return
      case 'retry':
        m.retry = it.ms
        return
      case 'bye':
        m.retry = it.retry
        if (it.reconnect) wait(it.reason, it.retry)
        else end(it.reason)
        return
      case 'broken':
        broken(it.reason, it.asked)
        return
      case 'refused':
        m.error = it.error
        end('refused')
        return
      case 'complete':
        end('complete')
        return
    }
  }

  function onTick(): void {
    if (now >= m.renewAt) renew()
    if (m.phase === 'open') {
      if (now >= m.checkAt) {
        m.checkAt = NEVER
        commands.push({ type: 'check' })
      }
      const silent = now >= m.deadline
      if (m.mode === 'stream' && (m.owed ? now >= m.owed.by : silent && !m.proven)) fallBack()
      else if (silent) broken('nothing came in time', 0)
    } else if (m.phase !== 'idle' && now >= m.until) {
      // Where a probe is due it takes the place of a poll.
      if (m.phase === 'between' && now >= m.probeAt) probe()
      else open()
    }
  }

  // ── what is done ──

  function open(): void {
    drop()
    const stream = m.mode === 'stream'
    m.phase = 'open'
    m.link++
    m.opened = now
    m.heard = now
    if (stream) m.proven = false
    m.deadline = now + (stream ? patience() : m.wait * 1000 + silencePoll())
    commands.push({ type: 'open', link: m.link, mode: m.mode, wait: m.wait })
  }

  function drop(): void {
    if (m.phase === 'open') commands.push({ type: 'close', link: m.link })
    m.owed = undefined
    m.checkAt = NEVER
  }

  function rest(phase: 'idle' | 'offline'): void {
    drop()
    if (m.probing) m.mode = 'poll'
    m.probing = false
    if (m.mode === 'poll') m.wait = 0
    m.phase = phase
    m.renewAt = NEVER
  }

  function end(reason: string): void {
    drop()
    m.phase = 'ended'
    m.reason = reason
  }

  /** Streaming doesn't get through: the same cursor, by finite answers. */
  function fallBack(): void {
    m.mode = 'poll'
    // A probe that failed says nothing against polls.
    m.proven = m.probing
    m.probing = false
    m.probeAt = now + PROBE_MS * (1 + random())
    m.wait = 0
    open()
  }

  function probe(): void {
    m.probing = true
    m.checked = false
    m.mode = 'stream'
    open()
  }

  function broken(reason: string, asked: number): void {
    if (m.probing) {
      fallBack()
      return
    }
    const lasted = now - m.opened
    // Something on the way cuts idle connections off: the next poll is over before it does.
    if (m.mode === 'poll' && m.wait > 0 && lasted > 2000) {
      m.wait = Math.max(1, Math.min(m.wait, Math.floor((lasted / 1000) * 0.7)))
    }
    // Not even a poll was answered: it wasn't the streaming.
    if (m.mode === 'poll' && !m.proven) m.mode = 'stream'
    wait(reason, asked)
  }

  function wait(reason: string, asked: number): void {
    drop()
    if (m.probing) m.mode = 'poll'
    m.probing = false
    m.phase = 'waiting'
    m.reason = reason
    m.renewAt = NEVER
    m.notBefore = now + asked
    m.until = now + backoff(Math.max(asked, m.retry), m.failures++, random)
  }

  /** There is a reason to believe that things are better now. */
  function hurry(anew: boolean): void {
    if (m.phase === 'waiting' || m.phase === 'offline') {
      m.failures = 0
      if (m.phase === 'offline') m.notBefore = Math.min(m.notBefore, now)
      if (m.notBefore <= now) open()
      else m.until = m.notBefore
    } else if (anew && (m.phase === 'open' || m.phase === 'between')) open()
  }

  function renew(): void {
    m.renewAt = NEVER
    if (m.phase === 'open') commands.push({ type: 'renew' })
  }

  // ── how long ──

  function patience(): number {
    return Math.max(FIRST_FRAME_MS, 4 * m.rtt)
  }

  function caughtUp(): number {
    return Math.max(LIVE_MS, 8 * m.rtt)
  }

  function silence(): number {
    return m.mode === 'stream' ? PATIENCE * m.heartbeat : silencePoll()
  }

  function silencePoll(): number {
    return Math.max(10_000, 8 * m.rtt)
  }
}
