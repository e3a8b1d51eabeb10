/** A picture for each participant, with what is known of the connection to them. */
import { $, avatar, icon, isAway, make, nameOf, setIcon } from './dom.js'

const tiles = new Map()

/** Adds or changes a participant's tile; `own` is this window's. */
export function showTile(participant, { own = false, state = 'connected' } = {}) {
  const tile = tiles.get(participant.id) ?? createTile(participant, own)
  const away = !own && isAway(participant)
  tile.root.dataset.state = state
  tile.root.dataset.away = away
  tile.root.dataset.video = participant.muted.video ? 'off' : 'on'
  tile.root.dataset.hand = participant.hand
  tile.name.textContent = own ? `${nameOf(participant)} (you)` : nameOf(participant)
  tile.face.replaceChildren(avatar(participant))
  setIcon(tile.mic, participant.muted.audio ? 'mic-off' : 'mic')
  tile.mic.dataset.off = participant.muted.audio
  tile.mic.title = participant.muted.audio ? 'Microphone off' : 'Microphone on'
  const words = {
    connecting: 'Connecting…',
    interrupted: 'Looking for a way…',
    waiting: 'Waiting…',
  }
  tile.note.textContent = words[state] ?? (away ? 'Away' : '')
}

function createTile(participant, own) {
  const video = make('video', { autoplay: true, playsInline: true, muted: own })
  const face = make('div', { className: 'face' })
  const name = make('b', { className: 'name' })
  const mic = make('span', { className: 'mic' }, icon('mic'))
  const hand = make('span', { className: 'hand', title: 'Hand raised' }, icon('hand'))
  const quality = make('span', { className: 'quality' })
  const note = make('p', { className: 'note' })
  const label = make('figcaption', {}, mic, name, quality)
  const root = make(
    'figure',
    { className: own ? 'tile own' : 'tile' },
    video,
    face,
    hand,
    note,
    label,
  )
  const tile = { root, video, face, name, mic, quality, note }
  video.setAttribute('aria-label', `Picture of ${nameOf(participant)}`)
  tiles.set(participant.id, tile)
  if (own) $('stage').append(root)
  else $('stage').prepend(root)
  count()
  return tile
}

export function setStream(id, stream) {
  const video = tiles.get(id)?.video
  if (video !== undefined && video.srcObject !== stream) video.srcObject = stream
}

/** The line on how well a connection carries. */
export function setQuality(id, quality) {
  const tile = tiles.get(id)
  if (tile === undefined) return
  tile.quality.dataset.grade = quality?.grade ?? ''
  if (quality === undefined) {
    tile.quality.textContent = ''
    return
  }
  const { rtt, loss, received, relayed } = quality
  const parts = [relayed ? 'relayed' : 'direct']
  if (rtt !== undefined) parts.push(`${Math.max(1, Math.round(rtt))} ms`)
  parts.push(`${(loss * 100).toFixed(loss > 0 && loss < 0.1 ? 1 : 0)} % lost`)
  parts.push(
    received < 1e6
      ? `${Math.round(received / 1000)} kbit/s`
      : `${(received / 1e6).toFixed(1)} Mbit/s`,
  )
  tile.quality.textContent = parts.join(' · ')
}

export function removeTile(id) {
  tiles.get(id)?.root.remove()
  tiles.delete(id)
  count()
}

export function removeTiles() {
  for (const id of [...tiles.keys()]) removeTile(id)
}

function count() {
  $('stage').dataset.count = tiles.size
}
