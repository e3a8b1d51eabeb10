/** The call: a room, a connection to each who is in it, and what is shown of them. */
import { joinRoom } from 'sluice/client'
import { clearChat, showMessage, showNote } from './chat.js'
import { $, hueOf, nameOf, setIcon } from './dom.js'
import { openMedia } from './media.js'
import { showPeople } from './people.js'
import { removeTile, removeTiles, setQuality, setStream, showTile } from './tiles.js'

/** ms between two looks at how well the connections carry. */
const LOOK_MS = 2000
const NAMES = ['Brook', 'Heron', 'Reed', 'Otter', 'Pebble', 'Willow', 'Wren', 'Marsh']
const PLACES = ['mill-pond', 'water-meadow', 'upper-lock', 'stone-weir', 'old-ferry', 'reed-bank']
const any = (list) => list[crypto.getRandomValues(new Uint32Array(1))[0] % list.length]

const hue = any([175, 205, 28, 262, 340, 95])
const address = new URLSearchParams(location.hash.slice(1))
let media
let room
let links = new Map()
let muted = { audio: true, video: false }

// ── the lobby ──

$('name').value = sessionStorage.getItem('name') ?? any(NAMES)
$('room').value = address.get('room') ?? `${any(PLACES)}-${any([...Array(900).keys()]) + 100}`
const opened = openMedia(hue).then(({ stream, words }) => {
  media = stream
  $('preview').srcObject = stream
  $('source').textContent = words
  for (const track of stream.getAudioTracks()) track.enabled = !muted.audio
})

$('enter').addEventListener('submit', (event) => {
  event.preventDefault()
  void join()
})

async function join() {
  $('join').disabled = true
  $('complaint').textContent = ''
  const name = $('name').value.trim() || any(NAMES)
  const wanted = $('room').value.trim()
  sessionStorage.setItem('name', name)
  try {
    await opened
    room = await joinRoom({ url: location.origin, room: wanted, data: { name, hue }, muted })
  } catch (error) {
    const offline = error instanceof TypeError
    $('complaint').textContent = offline
      ? 'The gateway can’t be reached.'
      : (error.problem?.detail ?? error.message)
    return
  } finally {
    $('join').disabled = false
  }
  history.replaceState(undefined, '', `#room=${encodeURIComponent(wanted)}`)
  begin()
}

// ── the call ──

function begin() {
  view('call')
  clearChat()
  $('room-name').textContent = room.info.name
  $('elsewhere').href = location.href
  document.title = `${room.info.name} · Sluice`
  showTile(room.self, { own: true })
  setStream(room.self.id, media)
  for (const peer of room.peers) meet(peer)

  room.on('joined', (peer) => {
    meet(peer)
    showNote(`${nameOf(peer)} has come`)
  })
  room.on('updated', (peer) => refresh(peer.id))
  room.on('left', ({ peer, reason, by }) => {
    // Whoever has come back meanwhile is there, and so is their picture.
    if (room.peers.some(({ id }) => id === peer.id)) return refresh(peer.id)
    links.get(peer.id)?.close()
    links.delete(peer.id)
    removeTile(peer.id)
    const remover = [room.self, ...room.peers].find(({ id }) => id === by)
    const how = {
      kicked: `was removed${remover ? ` by ${nameOf(remover)}` : ''}`,
      timeout: 'was lost',
    }
    if (reason !== 'replaced') showNote(`${nameOf(peer)} ${how[reason] ?? 'has left'}`)
    refresh()
  })
  room.on('self', () => refresh())
  room.on('room', () => refresh())
  room.on('mute', ({ by }) => askToMute(by))
  room.on('state', (state) => {
    if (state.state === 'ended') finish(state)
    else showState(state)
  })
  room.on('error', (error) => console.warn(String(error)))
  showState(room.state)
  refresh()
  // On a phone the keyboard would cover the call.
  if (matchMedia('(width > 860px)').matches) $('text').focus()
}

function meet(peer) {
  // Somebody who is back has their connection still: it has waited for them.
  if (links.has(peer.id)) return refresh(peer.id)
  const link = room.connect(peer.id, { streams: [media], channels: { chat: {} } })
  links.set(peer.id, link)
  link.on('track', ({ streams }) => setStream(peer.id, streams[0]))
  link.on('state', () => refresh(peer.id))
  link.on('channel', (channel) => {
    channel.onmessage = ({ data }) => {
      const now = room.peers.find(({ id }) => id === peer.id) ?? peer
      showMessage(nameOf(now), hueOf(now), String(data).slice(0, 1000), false)
    }
  })
  refresh(peer.id)
}

/** Shows what has changed: of one peer, or of this window. */
function refresh(id) {
  const peer = room.peers.find((each) => each.id === id)
  if (peer) showTile(peer, { state: links.get(id)?.state })
  const { self, info } = room
  showTile(self, { own: true })
  showPeople(room, {
    mute: (other) => moderate(room.requestMute(other, ['audio'])),
    lower: (other) => moderate(room.lowerHand(other)),
    kick: (other) => moderate(room.kick(other)),
  })
  press('mic', !muted.audio, muted.audio ? 'mic-off' : 'mic')
  press('camera', !muted.video, muted.video ? 'video-off' : 'video')
  press('hand', self.hand, 'hand')
  $('hand').querySelector('span').textContent = self.hand ? 'Lower hand' : 'Raise hand'
  $('mic').disabled = media.getAudioTracks().length === 0
  $('lock').hidden = self.role !== 'moderator'
  press('lock', info.locked, 'lock')
  $('lock').querySelector('span').textContent = info.locked ? 'Locked' : 'Lock'
}

function press(id, pressed, sign) {
  $(id).setAttribute('aria-pressed', pressed)
  setIcon($(id), sign)
}

function showState({ state }) {
  $('pill').dataset.state = state
  $('pill').textContent = state === 'live' ? 'connected' : 'reconnecting'
}

const moderate = (done) => done.catch((error) => showNote(error.message))

setInterval(async () => {
  for (const [id, link] of links) {
    setQuality(id, link.state === 'connected' ? await link.quality().catch(() => {}) : undefined)
  }
}, LOOK_MS)

// ── what can be pressed ──

async function mute(kind, off) {
  muted = { ...muted, [kind]: off }
  for (const track of media.getTracks()) if (track.kind === kind) track.enabled = !off
  refresh()
  await room.update({ muted }).catch((error) => showNote(error.message))
}

function askToMute(by) {
  const who = room.peers.find(({ id }) => id === by)
  if (muted.audio) return
  $('asked-words').textContent =
    `${who ? nameOf(who) : 'A moderator'} asks you to mute your microphone.`
  $('asked').hidden = false
  $('comply').focus()
}

function answer(complies) {
  $('asked').hidden = true
  $('mic').focus()
  if (complies) void mute('audio', true)
}

$('mic').addEventListener('click', () => mute('audio', !muted.audio))
$('camera').addEventListener('click', () => mute('video', !muted.video))
$('hand').addEventListener('click', () => moderate(room.update({ hand: !room.self.hand })))
$('lock').addEventListener('click', () => moderate(room.configure({ locked: !room.info.locked })))
$('leave').addEventListener('click', () => room.leave().catch(() => {}))
$('comply').addEventListener('click', () => answer(true))
$('decline').addEventListener('click', () => answer(false))
$('asked').addEventListener('keydown', ({ key }) => key === 'Escape' && answer(false))
$('say').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = $('text').value.trim()
  if (text === '') return
  const open = [...links.values()]
    .map((link) => link.channel('chat'))
    .filter((it) => it?.readyState === 'open')
  for (const channel of open) channel.send(text)
  showMessage(nameOf(room.self), hue, text, true)
  if (open.length === 0) showNote('Nobody is connected: only you have read that')
  $('text').value = ''
})
$('copy').addEventListener('click', async () => {
  const words = $('copy').querySelector('span')
  try {
    await navigator.clipboard.writeText(location.href)
    words.textContent = 'Copied'
  } catch {
    words.textContent = 'Copy the address'
  }
  setTimeout(() => {
    words.textContent = 'Copy invite'
  }, 2000)
})
// Others see who has another window in front.
document.addEventListener('visibilitychange', () => {
  if (room?.state.state !== 'live') return
  const away = document.hidden
  void room.update({ data: { ...room.self.data, away } }).catch(() => {})
})

// ── the end ──

const ENDS = {
  left: ['You have left', 'The others go on without you.'],
  kicked: ['You were removed', 'A moderator has taken you out of the room.'],
  closed: ['The room was closed', 'A moderator has sent everybody home.'],
  replaced: ['You are somewhere else', 'You have joined again from another window.'],
}

function finish({ reason, error }) {
  const [title, words] = ENDS[reason] ?? ['The call is over', error?.message ?? '']
  $('over-title').textContent = title
  $('over-words').textContent = words
  links = new Map()
  $('asked').hidden = true
  removeTiles()
  view('over')
  $('again').focus()
}

$('again').addEventListener('click', () => {
  view('lobby')
  $('name').focus()
})

function view(name) {
  document.body.dataset.view = name
}
