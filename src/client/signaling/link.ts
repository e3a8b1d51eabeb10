/**
 * The connection to one peer, whatever becomes of the RTCPeerConnections under it: the peer may reload,
 * vanish and come back, or the network change.
 */
import { backoff, type Timer } from '../timing.js'
import type { CandidateBatch } from './candidates.js'
import { createEmitter, type Listeners } from './emitter.js'
import { createNegotiation, type Negotiation, type Offer } from './negotiation.js'
import { createQuality, type Quality } from './quality.js'
import type { LeaveReason } from './resources.js'
import type { Peer } from './roster.js'

export interface ConnectOptions {
  /** Sent to the peer. Default none. */
  readonly streams?: readonly MediaStream[] | undefined
  /**
   * Data channels by label. Both sides name the same ones; each is there on both as soon as they are
   * connected, and anew after a reload. Default none.
   */
  readonly channels?: Readonly<Record<string, RTCDataChannelInit>> | undefined
}

export type LinkState =
  /** The peer isn't there. */
  | 'waiting'
  | 'connecting'
  | 'connected'
  /** It was connected; a way is being looked for. */
  | 'interrupted'
  | 'closed'

export interface LinkEvents {
  state: LinkState
  /** A new RTCPeerConnection, before anything is said about it: for what the options don't know. */
  connection: RTCPeerConnection
  track: RTCTrackEvent
  /** Each of `channels`, for each RTCPeerConnection, and those that the peer opened by itself. */
  channel: RTCDataChannel
  /** A step that the browser refused; it is tried again with a new RTCPeerConnection. */
  error: Error
}

export interface PeerLink extends Listeners<LinkEvents> {
  /** Id of the peer. */
  readonly peer: string
  readonly state: LinkState
  /** The present one; undefined while the peer isn't there. */
  readonly pc: RTCPeerConnection | undefined
  /** The present data channel of that label. */
  channel(label: string): RTCDataChannel | undefined
  addTrack(track: MediaStreamTrack, ...streams: MediaStream[]): void
  removeTrack(track: MediaStreamTrack): void
  /** Another camera: nothing is negotiated. */
  replaceTrack(track: MediaStreamTrack, by: MediaStreamTrack): Promise<void>
  /** Since it was asked last; undefined while nothing is connected. */
  quality(): Promise<Quality | undefined>
  /** Looks for another way (ICE restart). By itself it does so where a connection fails. */
  restart(): void
  close(): void
}

export interface LinkOptions extends ConnectOptions {
  readonly peer: string
  readonly createConnection: () => RTCPeerConnection
  readonly send: (to: Peer, type: string, data: object) => void
  /** Forgets what waits to be sent to the peer. */
  readonly forget: () => void
  /** Whether a signal would reach the peer now. */
  readonly reachable: () => boolean
  readonly onClose: () => void
  readonly timer: Timer
  readonly random: () => number
}

/** A link as its room drives it. */
export interface DrivenLink extends PeerLink {
  /** The peer is there; another incarnation is another RTCPeerConnection. */
  arrive(peer: Peer): void
  depart(reason: LeaveReason | undefined): void
  receive(type: string, fromIncarnation: string, data: unknown): void
  /** Signals of the peer were lost on their way. */
  recover(): void
  /** Closes without a word to the peer. */
  dispose(): void
}

/** Milliseconds for which a way may be lost before another is looked for, with as much again by chance. */
const DISCONNECTED = 2000
/** Milliseconds that another way may take to be found, before everything is begun anew. */
const PATIENCE = 10_000

export function createLink(options: LinkOptions): DrivenLink {
  const { timer, random } = options
  const emitter = createEmitter<LinkEvents>()
  const tracks = new Map<MediaStreamTrack, readonly MediaStream[]>()
  for (const stream of options.streams ?? []) {
    for (const track of stream.getTracks()) tracks.set(track, [stream])
  }
  const channels = new Map<string, RTCDataChannel>()
  const measure = createQuality()
  let peer: Peer | undefined
  let negotiation: Negotiation | undefined
  let state: LinkState = 'waiting'
  let chain: Promise<unknown> = Promise.resolve()
  let failures = 0
  let cancelTimer = () => {}

  function become(next: LinkState): void {
    if (state === next || state === 'closed') return
    state = next
    emitter.emit('state', next)
  }

  /** One after the other, and only while they are about the same joining of the peer. */
  function inTurn(incarnation: string | undefined, work: () => Promise<void> | undefined): void {
    chain = chain
      .then(() => (peer?.incarnation === incarnation ? work() : undefined))
      // A message that can't be read, or no RTCPeerConnection to be had.
      .catch((error) => emitter.emit('error', error))
  }

  function later(ms: number, task: () => void): void {
    cancelTimer()
    cancelTimer = timer(ms, task)
  }

  function send(type: string, data: object): void {
    if (peer !== undefined) options.send(peer, type, data)
  }

  // ── one RTCPeerConnection after the other ──

  /** `met`: the peer has made an offer, or wants one. Asking them for one would go on for ever. */
  function begin(met = false): void {
    end()
    if (peer === undefined || state === 'closed') return
    const pc = options.createConnection()
    const { polite } = peer
    const made = createNegotiation({ pc, polite, send, onFault: (error) => fault(made, error) })
    negotiation = made
    pc.ontrack = (event) => emitter.emit('track', event)
    pc.ondatachannel = ({ channel }) => {
      channels.set(channel.label, channel)
      emitter.emit('channel', channel)
    }
    pc.onconnectionstatechange = () => follow(made)
    become(state === 'connected' || state === 'interrupted' ? 'interrupted' : 'connecting')
    emitter.emit('connection', pc)
    for (const [track, streams] of tracks) pc.addTrack(track, ...streams)
    // Agreed on by their order: neither side waits for the other to open them.
    for (const [id, label] of Object.keys(options.channels ?? {})
      .sort()
      .entries()) {
      const init = { negotiated: true, id, ...options.channels?.[label] }
      const channel = pc.createDataChannel(label, init)
      channels.set(label, channel)
      emitter.emit('channel', channel)
    }
    // Whoever has nothing to offer asks for an offer.
    const offers = pc.getTransceivers().length > 0 || channels.size > 0
    if (!offers && !met) send('restart', { connection: made.id })
  }

  function end(): void {
    cancelTimer()
    negotiation?.close()
    negotiation = undefined
    channels.clear()
    // What waits was said by a connection that is no more.
    options.forget()
  }

  function fault(of: Negotiation, error: Error): void {
    if (of !== negotiation) return
    emitter.emit('error', error)
    later(backoff(0, failures++, random), () => begin())
  }

  function follow(of: Negotiation): void {
    if (of !== negotiation) return
    const { connectionState } = of.pc
    if (connectionState === 'connected') {
      failures = 0
      cancelTimer()
      become('connected')
    } else if (connectionState === 'disconnected') {
      become('interrupted')
      later(DISCONNECTED * (1 + random()), restart)
    } else if (connectionState === 'failed') {
      if (peer === undefined) {
        end()
        become('waiting')
        return
      }
      become('interrupted')
      restart()
      later(PATIENCE * (of.pc.signalingState === 'stable' ? 1 : 2) + patience(), giveUp)
    }
  }

  /** The polite side is slower to begin anew, so that mostly one of the two does. */
  const patience = () => backoff(peer?.polite ? PATIENCE / 2 : 0, failures, random)

  /** Both know all that they need: what isn't connected soon after is stuck, and the browser doesn't say so. */
  function expectConnection(): void {
    if (negotiation?.pc.connectionState === 'new') later(2 * PATIENCE + patience(), giveUp)
  }

  function giveUp(): void {
    if (negotiation?.pc.connectionState === 'connected') return
    if (options.reachable()) {
      failures++
      begin()
    } else later(PATIENCE, giveUp)
  }

  function restart(): void {
    inTurn(peer?.incarnation, () => renew())
  }

  async function renew(met = false): Promise<void> {
    if (negotiation?.remote === undefined) begin(met)
    else await negotiation.restart()
  }

  // ── what the peer says ──

  async function take(type: string, data: unknown): Promise<void> {
    const message = data as Offer & CandidateBatch
    const { connection, to } = message
    if (type === 'offer') {
      // It goes on with a connection that is no more; ours has been offered to them meanwhile.
      if (to !== undefined && to !== negotiation?.id) return
      const remote = negotiation?.remote
      const foreign = remote !== undefined && remote !== connection
      if (foreign && to !== undefined) return
      // A first offer that has to give way. Taking it back would do by the standard, but in Chromium
      // (156) every tenth connection or so then never gathers a candidate.
      const first = remote === undefined && negotiation?.offering === true && peer?.polite
      if (foreign || first || negotiation === undefined) begin(true)
      await negotiation?.takeOffer(message)
      expectConnection()
    } else if (type === 'answer') {
      if (to === negotiation?.id) await negotiation?.takeAnswer(message)
      expectConnection()
    } else if (type === 'candidates') await negotiation?.takeCandidates(message)
    else if (type === 'restart') await renew(true)
    else if (type === 'bye') {
      // Of a link before this one; what is offered now they haven't heard yet.
      if (connection !== negotiation?.remote && to !== negotiation?.id) return
      end()
      become('waiting')
    }
  }

  function dispose(): void {
    if (state === 'closed') return
    become('closed')
    end()
    options.onClose()
  }

  return {
    on: emitter.on,
    peer: options.peer,
    get state() {
      return state
    },
    get pc() {
      return negotiation?.pc
    },
    channel: (label) => channels.get(label),
    addTrack(track, ...streams) {
      tracks.set(track, streams)
      negotiation?.pc.addTrack(track, ...streams)
    },
    removeTrack(track) {
      tracks.delete(track)
      const sender = senderOf(negotiation?.pc, track)
      if (sender !== undefined) negotiation?.pc.removeTrack(sender)
    },
    async replaceTrack(track, by) {
      tracks.set(by, tracks.get(track) ?? [])
      tracks.delete(track)
      await senderOf(negotiation?.pc, track)?.replaceTrack(by)
    },
    quality: async () => negotiation && measure(negotiation.pc),
    restart,
    close() {
      const { id, remote, heard } = negotiation ?? {}
      dispose()
      if (id !== undefined) send('bye', { connection: id, to: remote ?? heard })
    },
    arrive(now) {
      const same = peer?.incarnation === now.incarnation
      peer = now
      if (!same) begin()
    },
    depart(reason) {
      peer = undefined
      options.forget()
      // Whoever fell silent may still be heard: media doesn't go through the gateway.
      if (reason === 'timeout' || reason === undefined) return
      end()
      become('waiting')
    },
    receive: (type, incarnation, data) => inTurn(incarnation, () => take(type, data)),
    recover() {
      send('restart', { connection: negotiation?.id })
      if (negotiation?.offering) restart()
    },
    dispose,
  }
}

function senderOf(
  pc: RTCPeerConnection | undefined,
  track: MediaStreamTrack,
): RTCRtpSender | undefined {
  return pc?.getSenders().find((sender) => sender.track === track)
}
