/**
 * One RTCPeerConnection, and what both sides say until it is connected: perfect negotiation (WebRTC
 * 1.0, § 10.7). Either side may offer at any time. Where both do at once, the polite side takes its own
 * offer back and the other one ignores what came.
 *
 * A description and its candidates name the connection that they are from, for a peer may replace its
 * RTCPeerConnection at any time, and what is still on its way must not reach the next one:
 *
 *     offer       {description, connection, to?, offer}   to: the connection that it goes on with
 *     answer      {description, connection, to, offer}    offer: which one it answers
 *     candidates  {candidates, connection, ufrag}
 *     restart     {connection}                            offer again, please
 *     bye         {connection, to?}                       to: the connection that it leaves, as far as it knows
 */
import { type CandidateBatch, createHeldCandidates, ufragsOf } from './candidates.js'

export interface Offer {
  readonly description: RTCSessionDescriptionInit
  readonly connection: string
  readonly to?: string | undefined
  readonly offer: string
}

/**
 * Messages are to be given one after the other, each when the one before is done. That stands for
 * `isSettingRemoteAnswerPending` of the standard's example: an offer that comes while an answer is being
 * applied waits, instead of being taken for a collision.
 */
export interface Negotiation {
  readonly pc: RTCPeerConnection
  /** Names this RTCPeerConnection towards the peer. */
  readonly id: string
  /** The peer's connection that this one is bound to, once an offer was answered. */
  readonly remote: string | undefined
  /** The peer's connection whose offer was looked at last, answered or not. */
  readonly heard: string | undefined
  /** Both sides are offering: an offer that comes now collides with ours. */
  readonly offering: boolean
  takeOffer(offer: Offer): Promise<void>
  takeAnswer(answer: Offer): Promise<void>
  takeCandidates(batch: CandidateBatch): Promise<void>
  /** Of one that is bound: new candidates, and a new offer even where one is under way. */
  restart(): Promise<void>
  close(): void
}

export interface NegotiationOptions {
  readonly pc: RTCPeerConnection
  /** This side gives way where both offer at once. */
  readonly polite: boolean
  readonly send: (type: 'offer' | 'answer' | 'candidates', data: object) => void
  /** The browser refused a step: only a new RTCPeerConnection helps. */
  readonly onFault: (error: Error) => void
}

const randomId = () => crypto.randomUUID().slice(0, 8)

export function createNegotiation(options: NegotiationOptions): Negotiation {
  const { pc, polite, send } = options
  const id = randomId()
  const held = createHeldCandidates()
  let remote: string | undefined
  let heard: string | undefined
  let makingOffer = false
  /** Our newest offer. */
  let offered: string | undefined
  let end = () => {}
  // What a closed RTCPeerConnection was asked for is never answered.
  const closed = new Promise<void>((resolve) => {
    end = resolve
  })

  async function attempt(work: () => Promise<void>): Promise<void> {
    const tried = work().catch((error) => {
      if (pc.signalingState !== 'closed') options.onFault(error as Error)
    })
    await Promise.race([tried, closed])
  }

  pc.onnegotiationneeded = () =>
    attempt(async () => {
      makingOffer = true
      try {
        await pc.setLocalDescription()
        const description = pc.localDescription
        if (description?.type !== 'offer') return
        offered = randomId()
        send('offer', { description, connection: id, to: remote, offer: offered })
      } finally {
        makingOffer = false
      }
    })

  pc.onicecandidate = ({ candidate }) => {
    // The empty one ends a generation; that all have been gathered is said by null alone.
    if (candidate?.candidate === '') return
    const ufrag = candidate?.usernameFragment ?? [...ufragsOf(pc.localDescription?.sdp ?? '')][0]
    if (ufrag === undefined) return
    send('candidates', { candidates: [candidate?.toJSON() ?? null], connection: id, ufrag })
  }

  /** The peer's description is applied: so are the candidates that waited for it. */
  async function bind({ connection, description }: Offer): Promise<void> {
    remote = connection
    for (const batch of held.describe(connection, description.sdp ?? '')) await add(batch)
  }

  async function add({ candidates, ufrag }: CandidateBatch): Promise<void> {
    for (const candidate of candidates) {
      try {
        await pc.addIceCandidate(candidate ?? { candidate: '', usernameFragment: ufrag })
      } catch {
        // One that this browser can't use (a protocol, a name that it doesn't resolve) is one way less
        // to connect, and no reason to give up the others.
      }
    }
  }

  return {
    pc,
    id,
    get remote() {
      return remote
    },
    get heard() {
      return heard
    },
    get offering() {
      return makingOffer || pc.signalingState !== 'stable'
    },
    takeOffer: (message) =>
      attempt(async () => {
        heard = message.connection
        // Its candidates wait for a description that never comes, and are dropped with the next one.
        if (!polite && (makingOffer || pc.signalingState !== 'stable')) return
        await pc.setRemoteDescription(message.description)
        await bind(message)
        await pc.setLocalDescription()
        const { connection, offer } = message
        const description = pc.localDescription
        send('answer', { description, connection: id, to: connection, offer })
      }),
    takeAnswer: (message) =>
      attempt(async () => {
        if (pc.signalingState !== 'have-local-offer' || message.offer !== offered) return
        await pc.setRemoteDescription(message.description)
        await bind(message)
      }),
    takeCandidates: (batch) =>
      attempt(async () => {
        for (const ready of held.take(batch)) await add(ready)
      }),
    restart: () =>
      attempt(async () => {
        if (pc.signalingState === 'have-local-offer') {
          await pc.setLocalDescription({ type: 'rollback' })
        }
        pc.restartIce()
      }),
    close() {
      pc.onnegotiationneeded = null
      pc.onicecandidate = null
      pc.close()
      end()
    },
  }
}
