/** One stream for all tabs: a tab's side of it. */

import type { Feed, FeedOptions } from '../feed.js'
import { GatewayError, resourceUrl } from '../gateway.js'
import { type ClientState, isSame } from '../machine.js'
import { createSecret } from '../secret.js'
import type { ConnectOptions } from '../types.js'
import { elect } from './elect.js'
import { BEAT_MS, createHub, type FromHub, type FromTab, type Hub, type Setup } from './hub.js'

/** Between two signs of life of a tab; browsers let hidden ones do no more. */
const TAB_BEAT_MS = 60_000
/** Until a shared worker has to speak. */
const WORKER_MS = 3_000

export interface Sharing {
  readonly name: string
  readonly worker: string | undefined
  readonly setup: Setup
  readonly getToken: ConnectOptions['getToken']
}

/** How a stream is to be shared; undefined: it isn't, or can't be. */
export function sharing(options: ConnectOptions): Sharing | undefined {
  const { shared, headers, credentials, token, getToken, presence } = options
  // Tabs are a browser's.
  if (!shared || !('document' in globalThis)) return undefined
  const own = typeof shared === 'object' ? shared : { name: shared === true ? '' : shared }
  const { href, origin } = resourceUrl(options.url, '/v1/events')
  const served = origin === location.origin ? href.replace(/v1\/events$/, 'client.js') : undefined
  const worker = 'SharedWorker' in globalThis ? (own.worker ?? served) : undefined
  if (worker === undefined && !navigator.locks) return undefined
  return {
    name: `sluice ${href} ${own.name ?? ''}`,
    worker,
    getToken,
    setup: {
      ...{ url: new URL(options.url, location.href).href, headers, credentials, token },
      asks: getToken !== undefined,
      presence: JSON.stringify(presence),
    },
  }
}

/** Ways to the hub and from it. */
interface Line {
  say(word: FromTab): void
  close(): void
}

const NOWHERE: Line = { say() {}, close() {} }

type Hear = (hub: string, word: FromHub) => void

export function createSharedFeed(sharing: Sharing, options: FeedOptions): Feed {
  const tab = createSecret()
  const wanted = new Map<string, number>()
  let served = new Set<string>()
  let state: ClientState = { state: 'idle' }
  let session = options.session ?? createSecret()
  let cursor = options.after
  /** Names of hubs begin with their birth: what an older one still says is not heard. */
  let hub = ''
  let seq = -1
  let closed = false

  function hear(from: string, word: FromHub): void {
    if (closed || from < hub) return
    const first = from !== hub
    hub = from
    if (first) {
      served = new Set()
      hello()
    }
    if (word.type === 'here') {
      const missed = seq >= 0 && (first || word.seq !== seq)
      seq = word.seq
      session = word.session
      // Its place is ours only where nothing was missed.
      if (!missed) cursor = word.cursor ?? cursor
      const more = word.served.some((channel) => !served.has(channel))
      served = new Set(word.served)
      show(word.state)
      if (more) options.onServed()
      if (missed) options.onMissed()
    } else if (word.type === 'item') {
      const missed = word.seq !== seq + 1
      seq = word.seq
      cursor = word.cursor
      options.onItem(word.item)
      if (missed) options.onMissed()
    } else if (word.type === 'refused') {
      const { status, message, problem } = word.problem
      if (!wanted.delete(word.channel)) return
      options.onRefused(word.channel, new GatewayError(status, message, problem))
    } else {
      const { n, reason } = word
      const give = async () =>
        line.say({ type: 'token', n, token: await sharing.getToken!(reason) })
      // The hub asks again.
      if (sharing.getToken) give().catch(() => {})
    }
  }

  function show(next: ClientState): void {
    const shown = wanted.size === 0 && next.state !== 'ended' ? ({ state: 'idle' } as const) : next
    if (isSame(shown, state)) return
    state = shown
    options.onState(state)
  }

  function hello(): void {
    const { setup } = sharing
    line.say({ type: 'hello', channels: [...wanted.keys()], cursor, session, setup })
  }

  let line: Line = NOWHERE
  const byElection = () => {
    line = openBroadcast(tab, sharing, hear, hello)
  }
  function open(): void {
    if (sharing.worker === undefined) byElection()
    else {
      line = openWorker(tab, sharing.worker, sharing.name, hear, () => {
        line.close()
        if (!closed && navigator.locks) byElection()
      })
      hello()
    }
  }
  function leave(): void {
    line.say({ type: 'bye' })
    line.close()
    line = NOWHERE
  }
  open()
  const beat = setInterval(() => line.say({ type: 'beat' }), TAB_BEAT_MS)

  return {
    get state() {
      return state
    },
    get cursor() {
      return cursor
    },
    get session() {
      return session
    },
    add(channel) {
      const count = wanted.get(channel) ?? 0
      wanted.set(channel, count + 1)
      if (count === 0) line.say({ type: 'add', channel })
      if (state.state === 'idle') show({ state: 'connecting' })
    },
    remove(channel) {
      const count = wanted.get(channel) ?? 0
      if (count > 1) wanted.set(channel, count - 1)
      else if (wanted.delete(channel)) {
        served.delete(channel)
        line.say({ type: 'remove', channel })
        show(state)
      }
    },
    has: (channel) => served.has(channel),
    acknowledged(channel, id) {
      if (wanted.has(channel)) line.say({ type: 'owed', channel, id })
    },
    tell(happening) {
      if (happening.type === 'measured') return
      if (happening.type === 'left') leave()
      if (happening.type === 'restored') open()
      // It may have been forgotten while it was away.
      if (happening.type === 'visible') hello()
      line.say({ type: 'tell', happening })
    },
    close() {
      closed = true
      clearInterval(beat)
      leave()
      state = { state: 'ended', reason: 'closed' }
      options.onState(state)
    },
  }
}

function openWorker(
  tab: string,
  url: string,
  name: string,
  hear: Hear,
  onFailed: () => void,
): Line {
  const worker = new SharedWorker(url, { type: 'module', name })
  let last = Date.now() + WORKER_MS - 3 * BEAT_MS
  const watch = setInterval(() => {
    // A hidden tab's clock is no measure.
    if (document.visibilityState === 'visible' && Date.now() - last > 3 * BEAT_MS) fail()
  }, 1000)
  const fail = () => {
    clearInterval(watch)
    onFailed()
  }
  worker.onerror = fail
  worker.port.onmessage = ({ data }) => {
    last = Date.now()
    hear(data.hub, data.word)
  }
  return {
    say: (word) => worker.port.postMessage({ tab, word }),
    close() {
      clearInterval(watch)
      // After the last word.
      setTimeout(() => worker.port.close(), 100)
    },
  }
}

function openBroadcast(
  tab: string,
  { name, getToken }: Sharing,
  hear: Hear,
  hello: () => void,
): Line {
  const channel = new BroadcastChannel(name)
  let own: Hub | undefined
  /** Name of the hub that spoke last. */
  let known: string | undefined
  const election = elect(name, () => {
    const birth = newName(known)
    const hub = createHub((word) => {
      channel.postMessage({ hub: birth, word })
      election.heard()
      hear(birth, word)
    }, getToken)
    own = hub
    hello()
    return () => {
      hub.close()
      if (own === hub) own = undefined
    }
  })
  channel.onmessage = ({ data }) => {
    if (data.hub === undefined) own?.take(data.tab, data.word)
    else {
      election.heard()
      known = data.hub
      hear(data.hub, data.word)
    }
  }
  return {
    say(word) {
      // The network is the leader's own affair.
      if (own !== undefined) own.take(tab, word)
      else if (word.type !== 'tell' || word.happening.type === 'visible') {
        channel.postMessage({ tab, word })
      }
    },
    close() {
      election.stop()
      channel.close()
    },
  }
}

/** Later ones are greater, also where the clock of the one before was ahead. */
export function newName(before = ''): string {
  return Math.max(Date.now(), +before.slice(0, 13) + 1) + createSecret()
}
