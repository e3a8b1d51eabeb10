/** A room: who is in it, what they say to each other, and connections to them. */
import type { EventItem, Item } from '../items.js'
import { systemTimer } from '../timing.js'
import { createEmitter } from './emitter.js'
import { createIce } from './ice.js'
import { type ConnectOptions, createLink, type DrivenLink, type PeerLink } from './link.js'
import { createMembership, type RoomState } from './membership.js'
import { createOutbox, type OutgoingSignal } from './outbox.js'
import { createReadChannels } from './reading.js'
import {
  createResources,
  type Joined,
  type Participant,
  type RoomInfo,
  type SignalEnvelope,
  type SignalResult,
} from './resources.js'
import { createRoster, type Left, type Peer, type RosterChange } from './roster.js'
import type { JoinOptions, Room, RoomEvents } from './types.js'

/** Signals of a peer that wait for `connect`; the oldest gives way, and everything is asked for again. */
const MAX_PENDING = 200
/** Own signals of which it is remembered what they were, for the case that they expire. */
const MAX_REMEMBERED = 200

interface Pending {
  readonly incarnation: string
  lost: boolean
  readonly signals: { readonly type: string; readonly data: unknown }[]
}

/** Joins; rejects with a GatewayError where the gateway refuses: `room_full`, `room_locked` … */
export async function joinRoom(options: JoinOptions): Promise<Room> {
  const { timer = systemTimer, random = Math.random } = options
  /**
   * A crowd that comes back is spread over a quarter of the usual time, 7.5 s at most: the gateway waits for
   * somebody in a call for a grace of 20 s.
   */
  const eager = () => random() / 4
  const session = options.session ?? randomSecret()
  const { url, token, headers, presence } = options
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
  const resources = createResources({ url, room: options.room, session, token, headers, fetch })
  const emitter = createEmitter<RoomEvents>()
  const read = createReadChannels({
    channels: options.channels ?? [],
    ask: (change) => resources.channels(change),
    onEvent: (event) => emitter.emit('event', event),
    onGap: (gap) => emitter.emit('gap', gap),
    onPresence: (present) => emitter.emit('presence', present),
  })
  const roster = createRoster()
  const links = new Map<string, DrivenLink>()
  const pending = new Map<string, Pending>()
  const remembered = new Map<string, OutgoingSignal>()
  let state: RoomState = { state: 'reconnecting', reason: 'joining' }
  let info!: RoomInfo
  let self!: Participant
  let inbox = ''
  let roomChannel = ''

  const ice = createIce({
    ask: () => resources.iceServers(),
    onChange: (configuration) => {
      for (const { pc } of links.values()) pc?.setConfiguration(configuration)
    },
    own: options.configuration,
    timer,
  })

  const outbox = createOutbox({
    post: (items, abort) => resources.signals(items, abort),
    onResult,
    onRefused(signals, error) {
      signals.forEach(undelivered)
      const { status } = error
      // Nobody of that session is in the room: it has been given up meanwhile.
      if (status === 404) void membership.doubt()
      else emitter.emit('error', error)
    },
    timer,
    random: eager,
  })

  const membership = createMembership({
    url,
    session,
    channels: () => read.names,
    presence,
    token,
    headers,
    fetch,
    wish: () => ({
      participant: self?.id ?? options.participant,
      data: self?.data ?? options.data,
      muted: self?.muted ?? options.muted,
    }),
    resources,
    onJoined,
    onItem,
    onState(next) {
      state = next
      if (next.state === 'ended') {
        for (const link of [...links.values()]) link.dispose()
        outbox.close()
        ice.close()
      }
      emitter.emit('state', next)
    },
    timer,
    random: eager,
  })

  // ── who is there ──

  function onJoined(joined: Joined): void {
    const before = self as Participant | undefined
    self = joined.participant
    info = joined.room
    ;[roomChannel = '', inbox = ''] = joined.channels
    ice.take(joined)
    const changes = roster.reset(self, joined.participants)
    if (before !== undefined && before.incarnation !== self.incarnation) {
      // For the others we are somebody new, and so are our connections.
      outbox.restart()
      pending.clear()
      for (const link of links.values()) {
        link.depart('replaced')
        const peer = roster.get(link.peer)
        if (peer !== undefined) link.arrive(peer)
      }
    }
    apply(changes)
    if (before !== undefined) emitter.emit('self', self)
  }

  function apply(changes: readonly RosterChange[]): void {
    for (const change of changes) {
      const { peer } = change
      if (change.type === 'left') {
        pending.delete(peer.id)
        links.get(peer.id)?.depart(change.reason)
        emitter.emit('left', change)
      } else {
        links.get(peer.id)?.arrive(peer)
        emitter.emit(change.type, peer)
      }
    }
  }

  /** The room as it is now, where what was told about it has a hole. */
  async function readAgain(): Promise<void> {
    try {
      const now = await resources.read()
      info = now.room
      apply(
        roster.reset(
          self,
          now.participants.filter(({ id }) => id !== self.id),
        ),
      )
      emitter.emit('room', info)
    } catch (error) {
      emitter.emit('error', error as Error)
    }
  }

  // ── what the stream tells ──

  function onItem(item: Item): void {
    if (item.type === 'event') {
      if (item.channel === roomChannel) onRoomEvent(item)
      else if (item.channel === inbox) onInboxEvent(item)
      else read.take(item)
    } else if (item.type === 'end') {
      if (item.channel === roomChannel || item.channel === inbox) {
        membership.expel(item.reason ?? undefined)
      }
    } else if (item.type === 'gap') {
      read.take(item)
      if (item.channel === roomChannel) void readAgain()
      if (item.channel === inbox) for (const link of links.values()) link.recover()
    } else read.take(item)
  }

  function onRoomEvent({ name, data }: EventItem): void {
    if (name === 'participant.left') {
      const left = data as Left
      if (left.id === self.id && left.incarnation === self.incarnation) {
        membership.expel(left.reason)
      } else apply(roster.left(left))
    } else if (name === 'room.updated') {
      info = (data as { room: RoomInfo }).room
      emitter.emit('room', info)
    } else {
      const { participant } = data as { participant: Participant }
      if (participant?.id === self.id) setSelf(participant)
      else if (name === 'participant.joined') apply(roster.joined(participant))
      else if (name === 'participant.updated') apply(roster.updated(participant))
    }
  }

  function setSelf(participant: Participant): void {
    if (participant.incarnation !== self.incarnation) return
    self = participant
    emitter.emit('self', self)
  }

  function onInboxEvent({ name, data }: EventItem): void {
    if (name === 'participant.mute') emitter.emit('mute', data as RoomEvents['mute'])
    else if (name === 'signal.expired') {
      const { messageId } = data as { messageId: string }
      const signal = remembered.get(messageId)
      if (signal !== undefined) undelivered(signal)
    } else if (name.startsWith('signal.')) {
      onSignal(name.slice('signal.'.length), data as SignalEnvelope)
    }
  }

  // ── signals ──

  function onSignal(type: string, { from, fromIncarnation, data }: SignalEnvelope): void {
    const peer = roster.get(from)
    // From before a reload of theirs: they have told us since that they are somebody new.
    if (peer?.incarnation !== fromIncarnation) return
    apply(roster.setAway(from, false))
    const link = links.get(from)
    if (type.startsWith('x-')) emitter.emit('signal', { from: peer, type, data })
    else if (link !== undefined) link.receive(type, fromIncarnation, data)
    else if (type === 'bye') pending.delete(from)
    else hold(peer, type, data)
  }

  function hold(peer: Peer, type: string, data: unknown): void {
    const known = pending.get(peer.id)
    const held = known ?? { incarnation: peer.incarnation, lost: false, signals: [] }
    pending.set(peer.id, held)
    held.signals.push({ type, data })
    if (held.signals.length > MAX_PENDING) held.lost = held.signals.shift() !== undefined
    if (known === undefined) emitter.emit('incoming', peer)
  }

  function onResult(signal: OutgoingSignal, { status, messageId }: SignalResult): void {
    if (status === 'delivered' || status === 'queued') {
      apply(roster.setAway(signal.to, status === 'queued'))
      remember(messageId, signal)
      // That they are gone the room will tell; a connection's signals are of no use to the next one.
    } else undelivered(signal)
  }

  function remember(messageId: string, signal: OutgoingSignal): void {
    if (!signal.type.startsWith('x-')) return
    remembered.set(messageId, signal)
    if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!)
  }

  function undelivered({ to, type, data }: OutgoingSignal): void {
    if (type.startsWith('x-')) emitter.emit('undelivered', { to, type, data })
  }

  // ── connections ──

  function connect(id: string, connectOptions: ConnectOptions = {}): PeerLink {
    const known = links.get(id)
    if (known !== undefined) return known
    const Connection = options.RTCPeerConnection ?? globalThis.RTCPeerConnection
    const link = createLink({
      ...connectOptions,
      peer: id,
      createConnection: () => new Connection(ice.configuration),
      send: (peer, type, data) =>
        outbox.send({ to: peer.id, toIncarnation: peer.incarnation, type, data }),
      forget: () => outbox.forget(id),
      reachable: () => state.state === 'live' && roster.get(id)?.away === false,
      onClose: () => links.delete(id),
      timer,
      random,
    })
    links.set(id, link)
    // Whoever is connected is there, whatever was known before.
    link.on('state', (state) => state === 'connected' && apply(roster.setAway(id, false)))
    const peer = roster.get(id)
    const held = pending.get(id)
    pending.delete(id)
    // Listeners come first: they are put on what is given back here.
    queueMicrotask(() => {
      const now = roster.get(id)
      if (links.get(id) !== link || now === undefined) return
      link.arrive(now)
      if (held === undefined || held.incarnation !== peer?.incarnation) return
      for (const { type, data } of held.signals) link.receive(type, held.incarnation, data)
      if (held.lost) link.recover()
    })
    return link
  }

  await membership.start(options.signal)
  return {
    on: emitter.on,
    get state() {
      return state
    },
    get info() {
      return info
    },
    get self() {
      return self
    },
    get peers() {
      return roster.peers
    },
    connect,
    async update(change) {
      setSelf(await resources.update(self.id, change))
      return self
    },
    send(id, type, data) {
      const peer = roster.get(id)
      if (peer === undefined) undelivered({ to: id, toIncarnation: '', type, data })
      else outbox.send({ to: id, toIncarnation: peer.incarnation, type, data })
    },
    channels: ({ add = [], remove = [] }) => read.change(add, remove),
    async leave() {
      if (state.state === 'ended') return
      for (const link of [...links.values()]) link.dispose()
      const { id } = self
      membership.end('left')
      await resources.remove(id)
    },
    kick: (id, { ban } = {}) =>
      resources.remove(id, ban === undefined ? '' : `?ban=${encodeURIComponent(ban)}`),
    requestMute: async (id, kinds = ['audio', 'video']) => {
      await resources.update(id, { mute: kinds })
    },
    lowerHand: async (id) => {
      await resources.update(id, { hand: false })
    },
    setRole: async (id, role) => {
      await resources.update(id, { role })
    },
    configure: (change) => resources.configure(change),
    close: () => resources.close(),
  }
}

/** 192 bits. */
function randomSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}
