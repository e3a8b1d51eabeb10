/** A picture for each participant, with what is known of the connection to them. */
import type { LinkState, Participant, Quality } from '../../client/index.js'
import { $, icon, make } from '../shared/dom.js'
import { faceOf, isAway, nameOf } from './participant.js'

interface Tile {
  readonly root: HTMLElement
  readonly video: HTMLVideoElement
  readonly face: HTMLElement
  readonly name: HTMLElement
  readonly mic: HTMLElement
  readonly quality: HTMLElement
  readonly note: HTMLElement
}

const WORDS: Partial<Record<LinkState, string>> = {
  connecting: 'Connecting…',
  interrupted: 'Looking for a way…',
  waiting: 'Waiting…',
}

const tiles = new Map<string, Tile>()

/** Adds or changes a participant's tile; without a `link` it is this window's own. */
export function showTile(participant: Participant, link?: LinkState): void {
  const own = link === undefined
  const tile = tiles.get(participant.id) ?? createTile(participant, own)
  const away = !own && isAway(participant)
  const { muted, hand } = participant
  const { root, name, face, mic, note } = tile
  root.dataset.state = link ?? 'connected'
  root.dataset.away = String(away)
  root.dataset.video = muted.video ? 'off' : 'on'
  root.dataset.hand = String(hand)
  name.textContent = own ? 'You' : nameOf(participant)
  face.replaceChildren(faceOf(participant))
  setIcon(mic, muted.audio ? 'mic-off' : 'mic')
  mic.dataset.off = String(muted.audio)
  mic.title = muted.audio ? 'Microphone off' : 'Microphone on'
  note.textContent = WORDS[link ?? 'connected'] ?? (away ? 'Away' : '')
}

function createTile(participant: Participant, own: boolean): Tile {
  const video = make('video', { autoplay: true, playsInline: true, muted: own })
  video.setAttribute('aria-label', `Picture of ${nameOf(participant)}`)
  const face = make('div', { className: 'face' })
  const name = make('b', { className: 'name' })
  const mic = make('span', { className: 'mic' }, icon('mic'))
  const hand = make('span', { className: 'hand', title: 'Hand raised' }, icon('hand'))
  const quality = make('span', { className: 'quality' })
  const note = make('p', { className: 'note' })
  const label = make('figcaption', {}, mic, name, quality)
  const className = own ? 'tile own' : 'tile'
  const root = make('figure', { className }, video, face, hand, note, label)
  const tile = { root, video, face, name, mic, quality, note }
  tiles.set(participant.id, tile)
  if (own) $('stage').append(root)
  else $('stage').prepend(root)
  count()
  return tile
}

export function setStream(id: string, stream: MediaStream | undefined): void {
  const video = tiles.get(id)?.video
  if (video !== undefined && stream !== undefined && video.srcObject !== stream) {
    video.srcObject = stream
  }
}

/** The line on how well a connection carries. */
export function setQuality(id: string, quality: Quality | undefined): void {
  const tile = tiles.get(id)
  if (tile === undefined) return
  tile.quality.dataset.grade = quality?.grade ?? ''
  tile.quality.textContent = quality === undefined ? '' : inWords(quality)
}

function inWords({ rtt, loss, received, relayed }: Quality): string {
  const parts = [relayed ? 'relayed' : 'direct']
  if (rtt !== undefined) parts.push(`${Math.max(1, Math.round(rtt))} ms`)
  parts.push(`${(loss * 100).toFixed(loss > 0 && loss < 0.1 ? 1 : 0)} % lost`)
  const rate =
    received < 1e6
      ? `${Math.round(received / 1000)} kbit/s`
      : `${(received / 1e6).toFixed(1)} Mbit/s`
  return [...parts, rate].join(' · ')
}

export function removeTile(id: string): void {
  tiles.get(id)?.root.remove()
  tiles.delete(id)
  count()
}

export function removeTiles(): void {
  for (const id of [...tiles.keys()]) removeTile(id)
}

function count(): void {
  $('stage').dataset.count = String(tiles.size)
}

/** Changes an icon only where it is another one: SVG that is replaced flickers. */
export function setIcon(element: Element, name: string): void {
  const use = element.querySelector('use')
  const href = `/pages/icons.svg#${name}`
  if (use?.getAttribute('href') !== href) use?.setAttribute('href', href)
}
