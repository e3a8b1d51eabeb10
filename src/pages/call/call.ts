/** The call: a connection to each who is in the room, and what is shown of them. */
import type { MediaKind, Peer, PeerLink, Room, RoomState } from '../../client/index.js'
import { $ } from '../shared/dom.js'
import { createChat } from './chat.js'
import { freeHue, hueOf, nameOf } from './participant.js'
import { showPeople } from './people.js'
import { removeTile, removeTiles, setIcon, setQuality, setStream, showTile } from './tiles.js'

export type Ended = Extract<RoomState, { state: 'ended' }>

/** Milliseconds between two looks at how well the connections carry. */
const LOOK_MS = 2000
/** Milliseconds for which the place of somebody who has gone is kept: they may have reloaded. */
const KEPT_MS = 3000

/** From the moment of joining to `onEnd`. */
export function beginCall(room: Room, media: MediaStream, onEnd: (end: Ended) => void): void {
  const links = new Map<string, PeerLink>()
  /** What is yet to be said of those who have just gone. */
  const gone = new Map<string, ReturnType<typeof setTimeout>>()
  const chat = createChat()
  const over = new AbortController()
  let { muted } = room.self

  const attempt = (done: Promise<unknown>) =>
    void done.catch((error: Error) => chat.note(error.message))

  // ── the others ──

  function meet(peer: Peer): void {
    // Somebody who is back has their connection still: it has waited for them.
    if (!links.has(peer.id)) connect(peer)
    refresh(peer.id)
  }

  function connect(peer: Peer): void {
    const link = room.connect(peer.id, { streams: [media], channels: { chat: {} } })
    links.set(peer.id, link)
    link.on('track', ({ streams }) => setStream(peer.id, streams[0]))
    link.on('state', () => refresh(peer.id))
    link.on('channel', (channel) => {
      channel.onmessage = ({ data }) => chat.hear(data)
      const retell = () => {
        for (const message of chat.retell()) channel.send(message)
      }
      if (channel.readyState === 'open') retell()
      else channel.onopen = retell
    })
  }

  room.on('joined', (peer) => {
    const back = gone.has(peer.id)
    clearTimeout(gone.get(peer.id))
    gone.delete(peer.id)
    meet(peer)
    if (!back) chat.note(`${nameOf(peer)} has come`)
  })
  room.on('updated', (peer) => refresh(peer.id))
  room.on('left', ({ peer, reason, by }) => {
    // Whoever has come back meanwhile is there, and so is their picture.
    if (room.peers.some(({ id }) => id === peer.id)) return refresh(peer.id)
    if (reason === 'left') {
      // A page that is reloaded leaves as well: its place waits for it.
      showTile(peer, 'waiting')
      gone.set(
        peer.id,
        setTimeout(() => part(peer, reason), KEPT_MS),
      )
    } else part(peer, reason, by)
    refresh()
  })

  function part(peer: Peer, reason: string | undefined, by?: string): void {
    clearTimeout(gone.get(peer.id))
    gone.delete(peer.id)
    links.get(peer.id)?.close()
    links.delete(peer.id)
    removeTile(peer.id)
    if (reason !== 'replaced') chat.note(`${nameOf(peer)} ${howLeft(reason, by)}`)
  }

  room.on('self', () => refresh())
  room.on('room', () => refresh())
  room.on('mute', ({ by }) => askToMute(by))
  room.on('state', (state) => {
    if (state.state === 'ended') end(state)
    else showState(state)
  })
  room.on('error', (error) => console.warn(String(error)))

  function howLeft(reason: string | undefined, by: string | undefined): string {
    const remover = [room.self, ...room.peers].find(({ id }) => id === by)
    if (reason === 'kicked') return `was removed${remover ? ` by ${nameOf(remover)}` : ''}`
    return reason === 'timeout' ? 'was lost' : 'has left'
  }

  /** Shows what has changed: of one peer, or of this window. */
  function refresh(id?: string): void {
    const peer = room.peers.find((each) => each.id === id)
    if (peer !== undefined) showTile(peer, links.get(peer.id)?.state ?? 'waiting')
    const { self, info } = room
    showTile(self)
    showPeople(room, {
      mute: (other) => attempt(room.requestMute(other, ['audio'])),
      lower: (other) => attempt(room.lowerHand(other)),
      kick: (other) => attempt(room.kick(other)),
    })
    press('mic', !muted.audio, muted.audio ? 'mic-off' : 'mic')
    press('camera', !muted.video, muted.video ? 'video-off' : 'video')
    press('hand', self.hand, 'hand', self.hand ? 'Lower hand' : 'Raise hand')
    press('lock', info.locked, 'lock', info.locked ? 'Locked' : 'Lock')
    $<HTMLButtonElement>('mic').disabled = media.getAudioTracks().length === 0
    $('lock').hidden = self.role !== 'moderator'
  }

  const look = setInterval(async () => {
    for (const [id, link] of links) {
      const carries = link.state === 'connected'
      setQuality(id, carries ? await link.quality().catch(() => undefined) : undefined)
    }
  }, LOOK_MS)

  // ── what can be pressed ──

  async function mute(kind: MediaKind, off: boolean): Promise<void> {
    muted = { ...muted, [kind]: off }
    for (const track of media.getTracks()) if (track.kind === kind) track.enabled = !off
    refresh()
    await room.update({ muted })
  }

  function askToMute(by: string): void {
    if (muted.audio) return
    const who = room.peers.find(({ id }) => id === by)
    const name = who ? nameOf(who) : 'A moderator'
    $('asked-words').textContent = `${name} asks you to mute your microphone.`
    $('asked').hidden = false
    $('comply').focus()
  }

  function answer(complies: boolean): void {
    $('asked').hidden = true
    $('mic').focus()
    if (complies) attempt(mute('audio', true))
  }

  function say(event: Event): void {
    event.preventDefault()
    const field = $<HTMLInputElement>('text')
    const text = field.value.trim()
    if (text === '') return
    field.value = ''
    const message = chat.say(nameOf(room.self), hueOf(room.self), text)
    const open = [...links.values()]
      .map((link) => link.channel('chat'))
      .filter((channel) => channel?.readyState === 'open')
    for (const channel of open) channel?.send(message)
    if (open.length === 0) chat.note('Nobody else is here yet: they will read it')
  }

  const { signal } = over
  const onPress = (id: string, task: () => void) =>
    $(id).addEventListener('click', task, { signal })
  onPress('mic', () => attempt(mute('audio', !muted.audio)))
  onPress('camera', () => attempt(mute('video', !muted.video)))
  onPress('hand', () => attempt(room.update({ hand: !room.self.hand })))
  onPress('lock', () => attempt(room.configure({ locked: !room.info.locked })))
  onPress('leave', () => void room.leave().catch(() => {}))
  onPress('comply', () => answer(true))
  onPress('decline', () => answer(false))
  $('asked').addEventListener('keydown', ({ key }) => key === 'Escape' && answer(false), { signal })
  $('say').addEventListener('submit', say, { signal })
  // Others see who has another window in front.
  document.addEventListener(
    'visibilitychange',
    () => {
      if (room.state.state !== 'live') return
      const data = { ...room.self.data, away: document.hidden }
      room.update({ data }).catch(() => {})
    },
    { signal },
  )

  function end(state: Ended): void {
    over.abort()
    clearInterval(look)
    for (const timer of gone.values()) clearTimeout(timer)
    $('asked').hidden = true
    removeTiles()
    onEnd(state)
  }

  // ── the beginning ──

  showTile(room.self)
  setStream(room.self.id, media)
  for (const peer of room.peers) meet(peer)
  if (room.state.state !== 'ended') showState(room.state)
  refresh()
  // Two of one colour couldn't be told apart: who came first keeps it.
  const hue = freeHue(hueOf(room.self), room.peers)
  if (hue !== hueOf(room.self)) attempt(room.update({ data: { ...room.self.data, hue } }))
}

function press(id: string, pressed: boolean, sign: string, words?: string): void {
  const button = $(id)
  button.setAttribute('aria-pressed', String(pressed))
  setIcon(button, sign)
  const label = button.querySelector('span')
  if (words !== undefined && label !== null) label.textContent = words
}

/** Of the connection to the gateway: media doesn't go through it. */
function showState(state: Exclude<RoomState, Ended>): void {
  const pill = $('pill')
  const live = state.state === 'live'
  pill.dataset.tone = live ? 'good' : 'wait'
  pill.textContent = !live ? 'reconnecting' : state.mode === 'poll' ? 'polling' : 'connected'
}
