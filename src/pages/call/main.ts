/** Before a call and after it: who one is, which room, and why it is over. */
import { joinRoom, type Room } from '../../client/index.js'
import { $ } from '../shared/dom.js'
import { randomName } from '../shared/random.js'
import { beginCall, type Ended } from './call.js'
import { openMedia } from './media.js'
import { HUES, hueOf } from './participant.js'
import { keepSeat, type Seat, takeSeat } from './seat.js'

const NAMES = ['Brook', 'Heron', 'Reed', 'Otter', 'Pebble', 'Willow', 'Wren', 'Marsh']
const PLACES = ['mill-pond', 'water-meadow', 'upper-lock', 'stone-weir', 'old-ferry', 'reed-bank']

function any<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!
}

const name = $<HTMLInputElement>('name')
const place = $<HTMLInputElement>('room')
const invited = new URLSearchParams(location.hash.slice(1)).get('room')
const hue = any(HUES)
let room: Room | undefined
let session = ''

// ── the lobby ──

name.value = sessionStorage.getItem('name') ?? any(NAMES)
place.value = invited ?? `${any(PLACES)}-${100 + Math.floor(Math.random() * 900)}`
const opened = openMedia(() => (room === undefined ? hue : hueOf(room.self))).then((media) => {
  $<HTMLVideoElement>('preview').srcObject = media.stream
  $('source').textContent = media.words
  return media.stream
})

$('enter').addEventListener('submit', (event) => {
  event.preventDefault()
  void join()
})

/** With the `seat` of before a reload there is nothing to ask: name, colour and switches are as they were. */
async function join(seat?: Seat): Promise<void> {
  const button = $<HTMLButtonElement>('join')
  button.disabled = true
  button.textContent = seat ? 'Back into the room…' : 'Joining…'
  $('complaint').textContent = ''
  const data = seat?.data ?? { name: name.value.trim() || any(NAMES), hue }
  const wanted = seat?.room ?? place.value.trim()
  const muted = seat?.muted ?? { audio: true, video: false }
  sessionStorage.setItem('name', String(data.name))
  // By the same session the gateway knows whose place it was.
  session = seat?.session ?? randomName() + randomName()
  const { participant } = seat ?? {}
  const media = await opened
  try {
    room = await joinRoom({ url: '/', room: wanted, participant, data, muted, session })
  } catch (error) {
    // `fetch` fails with a TypeError of each browser's own words.
    const offline = error instanceof TypeError
    $('complaint').textContent = offline
      ? 'The gateway can’t be reached.'
      : (error as Error).message
    return
  } finally {
    button.disabled = false
    button.textContent = 'Join'
  }
  for (const track of media.getTracks()) track.enabled = !muted[kindOf(track)]
  begin(room, media)
}

const kindOf = ({ kind }: MediaStreamTrack) => (kind === 'audio' ? 'audio' : 'video')

addEventListener('pagehide', () => {
  if (room === undefined || room.state.state === 'ended') return
  const { info, self } = room
  const { away: _, ...data } = self.data
  keepSeat({ room: info.name, session, participant: self.id, data, muted: self.muted })
})
// A page that comes back as it went has never left its seat.
addEventListener('pageshow', ({ persisted }) => persisted && takeSeat(null))

/** Whether calls find other networks is the operator's choice: said where none was made. */
async function tellOfNetworks(): Promise<void> {
  const answer = await fetch('/v1/ice-servers')
  const { iceServers } = (await answer.json()) as { iceServers?: readonly RTCIceServer[] }
  $('networks').hidden = iceServers === undefined || iceServers.length > 0
}
tellOfNetworks().catch(() => {})

// ── the call ──

function begin(room: Room, media: MediaStream): void {
  // The address is the invitation.
  history.replaceState(undefined, '', `#room=${encodeURIComponent(room.info.name)}`)
  $('room-name').textContent = room.info.name
  $<HTMLAnchorElement>('elsewhere').href = location.href
  document.title = `${room.info.name} · Sluice`
  view('call')
  beginCall(room, media, finish)
  // On a phone the keyboard would cover the call.
  if (matchMedia('(min-width: 861px)').matches) $('text').focus()
}

$('copy').addEventListener('click', async () => {
  const words = $('copy').querySelector('span')!
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

// ── the end ──

const ENDS: Readonly<Record<string, readonly [title: string, words: string]>> = {
  left: ['You have left', 'The others go on without you.'],
  kicked: ['You were removed', 'A moderator has taken you out of the room.'],
  closed: ['The room was closed', 'A moderator has sent everybody home.'],
  replaced: ['You are somewhere else', 'You have joined again from another window.'],
}

function finish({ reason, error }: Ended): void {
  const [title, words] = ENDS[reason] ?? ['The call is over', error?.message ?? '']
  $('over-title').textContent = title
  $('over-words').textContent = words
  view('over')
  $('again').focus()
}

$('again').addEventListener('click', () => {
  view('lobby')
  name.focus()
})

function view(which: 'lobby' | 'call' | 'over'): void {
  $('main').dataset.view = which
}

// ── the beginning ──

const seat = takeSeat(invited)
if (seat !== undefined) void join(seat)
