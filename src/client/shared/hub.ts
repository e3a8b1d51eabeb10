/**
 * The one stream, and the tabs that have it. Runs in a shared worker, or in the tab that leads.
 *
 * Words between tabs and hub, each with the tab it is from or for:
 *
 *     tab → hub   hello: what I read, and where I stand    add, remove    tell: network, page, publishes
 *                 token: what you asked for                bye
 *     hub → tabs  here: state, session, channels, every five seconds      item     served     refused
 *                 token?: who gives me one
 */

import type { Problem } from '../../wire/errors.js'
import { type Caller, createCaller, type TokenReason } from '../caller.js'
import { createFeed, type Feed } from '../feed.js'
import type { Item } from '../items.js'
import type { ClientState, Happening } from '../machine.js'
import { systemTimer } from '../timing.js'

/** Between two signs of life of a hub, and of a tab, in milliseconds. */
export const BEAT_MS = 5_000
/** Tabs that are silent for so long are gone. Hidden ones may beat once a minute only. */
const TAB_MS = 150_000
/** Until a tab has to give the token that it was asked for. */
const TOKEN_MS = 10_000

/** What all tabs must agree on. */
export interface Setup {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly credentials?: RequestCredentials | undefined
  readonly token?: string | undefined
  /** Some tab can be asked for tokens. */
  readonly asks: boolean
  readonly presence?: string | undefined
}

export type FromTab =
  | {
      readonly type: 'hello'
      readonly channels: readonly string[]
      readonly cursor: string | undefined
      readonly session: string | undefined
      readonly setup: Setup
    }
  | { readonly type: 'add' | 'remove'; readonly channel: string }
  | { readonly type: 'tell'; readonly happening: Happening }
  | { readonly type: 'owed'; readonly channel: string; readonly id: string }
  | { readonly type: 'token'; readonly n: number; readonly token: string }
  | { readonly type: 'beat' | 'bye' }

export type FromHub =
  | {
      readonly type: 'here'
      /** Number of the newest item. */
      readonly seq: number
      readonly state: ClientState
      readonly session: string
      readonly cursor: string | undefined
      readonly served: readonly string[]
    }
  | {
      readonly type: 'item'
      readonly seq: number
      readonly item: Item
      readonly cursor: string | undefined
    }
  | { readonly type: 'refused'; readonly channel: string; readonly problem: Refusal }
  | { readonly type: 'token?'; readonly n: number; readonly reason: TokenReason }

/** An error, in parts that can be sent. */
export interface Refusal {
  readonly status: number
  readonly message: string
  readonly problem: Problem | undefined
}

export interface Hub {
  take(tab: string, word: FromTab): void
  close(): void
}

/** `say` reaches every tab. The hub begins with the first `hello`. */
export function createHub(
  say: (word: FromHub) => void,
  getToken: ((reason: TokenReason) => string | Promise<string>) | undefined,
): Hub {
  const tabs = new Map<string, { channels: string[]; seen: number }>()
  const tokens = new Map<number, (token: string) => void>()
  let asked = 0
  let seq = 0
  let feed: Feed | undefined
  let stopBeat = () => {}
  const over = new AbortController()

  function start({ setup, cursor, session }: FromTab & { type: 'hello' }): Feed {
    const { url, headers, credentials, token, asks, presence } = setup
    const caller: Caller = createCaller({
      ...{ url, headers, credentials, token, timer: systemTimer, now: Date.now },
      closing: over.signal,
      getToken: asks ? (getToken ?? askTabs) : undefined,
      fetch: (input, init) => fetch(input, init),
      onMeasured: (rtt) => feed?.tell({ type: 'measured', rtt }),
    })
    beat()
    return createFeed({
      ...{ caller, timer: systemTimer, now: Date.now, random: Math.random },
      ...{ session, after: cursor, presence: () => presence },
      onItem: (item) => say({ type: 'item', seq: ++seq, item, cursor: feed?.cursor }),
      onState: here,
      onServed: here,
      onMissed() {},
      onRefused(channel, { status, message, problem }) {
        for (const tab of tabs.values()) tab.channels = tab.channels.filter((it) => it !== channel)
        say({ type: 'refused', channel, problem: { status, message, problem } })
      },
    })
  }

  function askTabs(reason: TokenReason): Promise<string> {
    const n = ++asked
    say({ type: 'token?', n, reason })
    return new Promise((resolve, reject) => {
      tokens.set(n, resolve)
      setTimeout(() => {
        tokens.delete(n)
        reject(new Error('no tab gave a token'))
      }, TOKEN_MS)
    })
  }

  function here(): void {
    if (feed === undefined) return
    const channels = new Set([...tabs.values()].flatMap((tab) => tab.channels))
    const served = [...channels].filter((channel) => feed!.has(channel))
    const { state, session, cursor } = feed
    // By another hub of ours, while this one was frozen.
    if (state.state === 'ended' && state.reason === 'replaced') return
    say({ type: 'here', seq, state, session, cursor, served })
  }

  function beat(): void {
    here()
    for (const [name, { seen }] of tabs) if (Date.now() - seen > TAB_MS) leave(name)
    stopBeat = systemTimer(BEAT_MS, beat)
  }

  function leave(name: string): void {
    const tab = tabs.get(name)
    tabs.delete(name)
    for (const channel of tab?.channels ?? []) feed?.remove(channel)
  }

  return {
    take(name, word) {
      if (word.type === 'hello') {
        feed ??= start(word)
        const before = tabs.get(name)?.channels ?? []
        tabs.set(name, { channels: [...word.channels], seen: Date.now() })
        for (const channel of word.channels) feed.add(channel)
        for (const channel of before) feed.remove(channel)
        here()
        return
      }
      const tab = tabs.get(name)
      if (word.type === 'token') tokens.get(word.n)?.(word.token)
      if (tab === undefined || feed === undefined) return
      tab.seen = Date.now()
      if (word.type === 'add') {
        tab.channels.push(word.channel)
        feed.add(word.channel)
        if (feed.has(word.channel)) here()
      } else if (word.type === 'remove') {
        const at = tab.channels.indexOf(word.channel)
        if (at < 0) return
        tab.channels.splice(at, 1)
        feed.remove(word.channel)
      } else if (word.type === 'tell') feed.tell(word.happening)
      else if (word.type === 'owed') feed.acknowledged(word.channel, word.id)
      else if (word.type === 'bye') leave(name)
    },
    close() {
      stopBeat()
      over.abort()
      const last = feed
      // Its end is not the tabs' end: another hub goes on.
      feed = undefined
      last?.close()
    },
  }
}
