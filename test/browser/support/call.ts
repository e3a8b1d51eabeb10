/** Two pages that call each other, and what a test asks them. */
import type { Browser, Page } from 'playwright-core'
import type { Test } from 'tap'
import { BROWSER_ARGS } from '../../support/browser.js'
import { until } from '../../support/until.js'

/** Fake cameras; and candidates on loopback, for these machines may have no other network. */
export const CALL_ARGS = [
  ...BROWSER_ARGS,
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  // Names instead of addresses would need multicast to be resolved.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
]

export const CALL_BODY = '<video autoplay muted playsinline></video>'

/** What an application writes, and notes of what happened. Its address says whom it calls, and how. */
export const CALL_SCRIPT = `
  import { joinRoom } from 'sluice/client'

  const wish = new URLSearchParams(location.search)
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 180 } })
  const call = { messages: [], errors: [], collisions: 0, signals: 0 }
  globalThis.call = call

  class Counting extends RTCPeerConnection {
    constructor(configuration) {
      super(configuration)
      call.started = (call.started ?? 0) + 1
    }
    setRemoteDescription(description) {
      if (description.type === 'offer' && this.signalingState !== 'stable') call.collisions++
      return super.setRemoteDescription(description)
    }
  }

  // Candidates are on their way: whoever wants to cut may do so now.
  async function fetchWithCuts(url, init) {
    if (String(url).endsWith('/signals')) call.signals++
    const trickles = String(url).endsWith('/signals') && String(init.body).includes('"type":"candidates"')
    if (!trickles || !globalThis.onTrickle) return fetch(url, init)
    const sent = fetch(url, init)
    sent.catch(() => {})
    await globalThis.onTrickle()
    return sent
  }

  const room = await joinRoom({
    url: wish.get('gateway'),
    room: wish.get('room'),
    configuration: wish.has('relay') ? { iceTransportPolicy: 'relay' } : {},
    RTCPeerConnection: Counting,
    fetch: fetchWithCuts,
    // Waits for the next try are a tenth as long as they are for people; patience is not.
    random: () => Math.random() / 2,
    timer(ms, task) {
      const id = setTimeout(task, ms < 9000 ? ms / 10 : ms)
      return () => clearTimeout(id)
    },
  })
  call.room = room

  function meet(peer) {
    const link = room.connect(peer.id, { streams: [media], channels: { chat: {} } })
    call.link = link
    link.on('track', ({ streams }) => { document.querySelector('video').srcObject = streams[0] })
    link.on('channel', (channel) => { channel.onmessage = ({ data }) => call.messages.push(data) })
    link.on('error', (error) => call.errors.push(String(error)))
  }
  room.peers.forEach(meet)
  room.on('joined', meet)
  room.on('left', ({ peer }) => {
    if (!room.peers.some(({ id }) => id === peer.id)) room.connect(peer.id).close()
  })
  room.on('error', (error) => call.errors.push(String(error)))

  const fragment = (description) => /^a=ice-ufrag:(\\S+)/m.exec(description?.sdp)?.[1]
  call.settled = () => {
    const { state, pc } = call.link ?? {}
    const stable = pc?.connectionState === 'connected' && pc.signalingState === 'stable'
    if (room.state.state !== 'live' || state !== 'connected' || !stable) return undefined
    return [fragment(pc.localDescription), fragment(pc.remoteDescription)]
  }
  call.frames = async () => {
    for (const entry of (await call.link.pc.getStats()).values()) {
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') return entry.framesDecoded ?? 0
    }
    return 0
  }
`

/** What the pages' script leaves there, as far as tests ask for it. */
export interface Call {
  readonly room: {
    readonly state: { readonly state: string }
    connect(peer: string, options?: { streams?: MediaStream[] }): Call['link'] & { close(): void }
    update(change: { data: object }): Promise<unknown>
    readonly self: { readonly id: string }
    readonly peers: readonly { readonly id: string; readonly polite: boolean }[]
  }
  link: {
    readonly state: string
    restart(): void
    channel(label: string): RTCDataChannel
    quality(): Promise<{ readonly relayed: boolean }>
  }
  readonly messages: readonly string[]
  readonly errors: readonly string[]
  readonly collisions: number
  /** Requests with signals. */
  readonly signals: number
  /** User fragments of this side and of the other; undefined where something is under way. */
  settled(): readonly [own: string, theirs: string] | undefined
  frames(): Promise<number>
}

declare global {
  var call: Call
}

export interface Caller {
  readonly page: Page
  /** What its console complains of. */
  readonly complaints: readonly string[]
}

/** A page in a window of its own, which joins and calls whoever is there. */
export async function openCaller(t: Test, browser: Browser, url: string): Promise<Caller> {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(url)
  return { page, complaints }
}

/** Resolves once both are connected, with nothing under negotiation, and know the same of each other. */
export async function settle(callers: readonly [Caller, Caller], what: string): Promise<void> {
  await until(`connected ${what}`, async () => {
    const [one, other] = await Promise.all(
      callers.map(({ page }) => page.evaluate(() => globalThis.call?.settled?.())),
    )
    return one !== undefined && one[0] === other?.[1] && one[1] === other?.[0]
  })
}

/** Pictures go on in each, and what one says over its data channel the others hear. */
export async function talk(callers: readonly Caller[], words: string): Promise<void> {
  await Promise.all(
    callers.map(async ({ page }, i) => {
      const before = await page.evaluate(() => call.frames())
      await page.waitForFunction(async (least) => (await call.frames()) > least, before + 5)
      const text = `${words} ${i}`
      await page.waitForFunction(() => call.link.channel('chat').readyState === 'open')
      await page.evaluate((text) => call.link.channel('chat').send(text), text)
      for (const other of callers) {
        if (other.page === page) continue
        await other.page.waitForFunction((text) => call.messages.includes(text), text)
      }
    }),
  )
}
