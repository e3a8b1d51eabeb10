/**
 * Being in a room: joining, the one stream that tells what happens there, and joining anew where the
 * gateway has given this participant up. Knows nothing of peers.
 */
import { parsePosition } from '../../wire/position.js'
import { GatewayError } from '../gateway.js'
import type { Item } from '../items.js'
import type { Mode } from '../machine.js'
import { type State, subscribe } from '../subscribe.js'
import { backoff, pause, type Timer, within } from '../timing.js'
import type { Token } from '../token.js'
import type { Joined, LeaveReason, Resources } from './resources.js'

/** Why a room is over for this participant. `refused`: it may not join again; the error says why. */
export type EndReason = Exclude<LeaveReason, 'timeout'> | 'revoked' | 'refused'

export type RoomState =
  /** `poll`: something on the way holds streams back, and what happens comes by long polls. */
  | { readonly state: 'live'; readonly mode: Mode }
  /** What happens in the room will be told, but not now. */
  | { readonly state: 'reconnecting'; readonly reason: string }
  | { readonly state: 'ended'; readonly reason: EndReason; readonly error?: Error | undefined }

export interface MembershipOptions {
  readonly url: string | URL
  readonly session: string
  /** Of the application, beside the room's own. */
  readonly channels: () => readonly string[]
  /** What others see who are present on them. */
  readonly presence?: object | undefined
  readonly token?: Token | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
  /** What to join with. */
  readonly wish: () => object
  readonly resources: Resources
  readonly onJoined: (joined: Joined) => void
  readonly onItem: (item: Item) => void
  readonly onState: (state: RoomState) => void
  readonly timer: Timer
  readonly random: () => number
}

export interface Membership {
  /** Joins; rejects where the gateway refuses, or doesn't answer for about half a minute. */
  start(signal: AbortSignal | undefined): Promise<void>
  /** This participant is out, as the stream says. */
  expel(reason: string | undefined): void
  /** Something says that this participant isn't in the room any more; joins anew where that is so. */
  doubt(): Promise<void>
  end(reason: EndReason, error?: Error): void
}

/** What can't be mended by joining anew. Leaving isn't among them: by itself it would have been said here. */
const FINAL: readonly string[] = ['kicked', 'replaced', 'closed', 'revoked']
/** Milliseconds after which a joining that isn't answered is given up and repeated. */
const PATIENCE = 10_000
/** Tries of the first joining. */
const ATTEMPTS = 6
/** Its log in memory ended with it, or the participant was away for too long. */
const FORGOTTEN = 'the gateway has given this participant up'
/** Joinings in a row that came to no stream, after which it is given up. */
const FRUITLESS = 8

export function createMembership(options: MembershipOptions): Membership {
  const { resources, onItem, onState, timer, random } = options
  const over = new AbortController()
  const sleepers = new Set<() => void>()
  let joined: Joined | undefined
  let joining: Promise<void> | undefined
  /** Order of the newest event by channel, over all streams. */
  const newest = new Map<string, number>()
  let stream = new AbortController()
  /** By which way the last stream came through: the next begins with it. */
  let mode: Mode = 'stream'
  let fruitless = 0
  let hidden = false
  let forgetPage = () => {}

  const wake = (task: () => void) => {
    sleepers.add(task)
    return () => void sleepers.delete(task)
  }
  const wakeUp = () => {
    const all = [...sleepers]
    sleepers.clear()
    for (const task of all) task()
  }

  async function join(attempts: number, signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        const ask = (abort: AbortSignal) => resources.join(options.wish(), abort)
        joined = await within(PATIENCE, timer, signal, ask)
        options.onJoined(joined)
        // There is a gateway again: its stream needn't wait any longer.
        wakeUp()
        return
      } catch (error) {
        signal.throwIfAborted()
        const refused = error instanceof GatewayError ? error : undefined
        if (refused?.retryable === false || failures + 1 >= attempts) throw error
        const ms = backoff(refused?.retryAfter ?? 0, failures, random)
        await pause(ms, timer, signal, wake)
        signal.throwIfAborted()
      }
    }
  }

  /** A joining that is repeated is given the same cursor again: what follows it may have been here before. */
  function isDouble(item: Item): boolean {
    if (item.type === 'gap') newest.delete(item.channel)
    const order = item.type === 'event' && item.id ? parsePosition(item.id)?.order : undefined
    if (item.type !== 'event' || order === undefined) return false
    if (order <= (newest.get(item.channel) ?? -1)) return true
    newest.set(item.channel, order)
    return false
  }

  /** Joins anew, once however many ask. */
  function rejoin(reason: string): Promise<void> {
    onState({ state: 'reconnecting', reason })
    joining ??= (async () => {
      try {
        await pause(fruitless === 0 ? 0 : backoff(0, fruitless, random), timer, over.signal, wake)
        if (!over.signal.aborted) await join(Number.POSITIVE_INFINITY, over.signal)
      } catch (error) {
        end('refused', error as Error)
      } finally {
        joining = undefined
      }
    })()
    return joining
  }

  /** Reads the stream for as long as there is one; where it ends, joins anew or ends too. */
  async function follow(): Promise<void> {
    while (!over.signal.aborted && joined !== undefined) {
      let error: Error | undefined
      stream = new AbortController()
      const { url, session, presence, token, headers, fetch } = options
      const channels = options.channels()
      const asked = { url, session, channels, presence, token, headers, fetch }
      const about = { ...asked, timer, random, wake }
      const state = { signal: stream.signal, after: joined.cursor, onState: tell, fallback: mode }
      try {
        for await (const item of subscribe({ ...about, ...state })) {
          if (item.type === 'ready' || item.type === 'live') fruitless = 0
          if (isDouble(item)) continue
          // By a connection of our own that came late: the session is nobody else's. Where another window
          // has taken the place of this participant, the ends of its channels have come before.
          if (item.type === 'bye' && item.reason === 'replaced') break
          if (item.type === 'bye' && !item.reconnect) expel(item.reason)
          else onItem(item)
        }
      } catch (thrown) {
        error = thrown as Error
      }
      if (over.signal.aborted) return
      const denied = error instanceof GatewayError && [401, 403].includes(error.status)
      if (denied || fruitless++ >= FRUITLESS) return end('refused', error)
      // Without channels of the application there is nothing left to open.
      const lost = error instanceof GatewayError && error.problem?.code === 'channel_missing'
      while (hidden) await new Promise<void>((resolve) => wake(resolve))
      await rejoin(lost ? FORGOTTEN : (error?.message ?? 'the gateway has ended the stream'))
    }
  }

  function tell(state: State): void {
    if (state.state === 'open') {
      mode = state.mode
      onState({ state: 'live', mode })
    }
    if (state.state === 'waiting') onState({ state: 'reconnecting', reason: state.reason })
    if (state.state === 'ended' && state.reason !== undefined) expel(state.reason)
  }

  function expel(reason: string | undefined): void {
    if (over.signal.aborted) return
    if (reason !== undefined && FINAL.includes(reason)) end(reason as EndReason)
    else void rejoin(reason ?? 'unknown')
  }

  function end(reason: EndReason, error?: Error): void {
    if (over.signal.aborted) return
    over.abort()
    stream.abort()
    forgetPage()
    onState({ state: 'ended', reason, error })
  }

  /** In a browser: leaves with the page, comes back with it, and doesn't sleep on when there is a network again. */
  function watchPage(): () => void {
    const page = globalThis.window
    if (page === undefined) return () => {}
    const hide = () => {
      if (joined === undefined) return
      hidden = true
      resources.abandon(joined.participant.id)
      stream.abort()
    }
    const show = () => {
      hidden = false
      wakeUp()
    }
    const all: [string, () => void][] = [
      ['pagehide', hide],
      ['pageshow', show],
      ['online', wakeUp],
    ]
    for (const [name, task] of all) page.addEventListener(name, task)
    return () => {
      for (const [name, task] of all) page.removeEventListener(name, task)
    }
  }

  return {
    async start(signal) {
      await join(ATTEMPTS, signal ?? over.signal)
      forgetPage = watchPage()
      void follow()
    },
    expel,
    async doubt() {
      if (joining !== undefined) return
      try {
        const { participants } = await resources.read(over.signal)
        const { id, incarnation } = joined!.participant
        if (participants.some((each) => each.id === id && each.incarnation === incarnation)) return
      } catch (error) {
        const gone = error instanceof GatewayError && error.status === 404
        if (!gone) return
      }
      if (!over.signal.aborted) await rejoin(FORGOTTEN)
    },
    end,
  }
}
