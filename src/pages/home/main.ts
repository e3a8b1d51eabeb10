/** The first page: what it says is shown on its own stream. */
import { type ClientEvent, connect } from '../../client/index.js'
import { $, avatar, hueOf, make } from '../shared/dom.js'
import { showState } from '../shared/state.js'
import { showCommands } from './commands.js'

const CHANNEL = 'demo:hello'
/** Events that the log and the list show. */
const BLOCKS = 9
const LINES = 6
const FACES = 4

const client = connect({ url: '/' })
const commands = showCommands($('commands'), CHANNEL)
let seen = 0
/** Events before this page came are not counted. */
const since = Date.now()

showState($('state'), client)
client.onState(showCursor)

client.subscribe(
  CHANNEL,
  (event) => {
    if (event.id === undefined) return
    addBlock(event)
    addLine(event)
    commands.after(event.id)
    if (event.time > since) count()
    showCursor()
  },
  { rewind: BLOCKS },
)

function count(): void {
  seen++
  $('events').textContent = String(seen)
  $('events-word').textContent = seen === 1 ? 'event' : 'events'
}

function showCursor(): void {
  const { cursor } = client
  if (cursor === undefined) return
  $('cursor').textContent = cursor
  // Before anything has come: from now on.
  if ($('came').childElementCount === 0) commands.after(cursor)
}

function addBlock({ id, channel }: ClientEvent): void {
  const block = make('li', { title: id! })
  block.append(make('span', { className: 'unseen', textContent: `${channel} ${id}` }))
  $('log').append(block)
  trim($('log'), BLOCKS, 'firstElementChild')
}

function addLine({ id, name, data }: ClientEvent): void {
  $('empty').hidden = true
  const text = JSON.stringify(data)
  const shown = text.length > 200 ? `${text.slice(0, 200)} …` : text
  const line = make(
    'li',
    {},
    make('code', {
      className: 'data',
      textContent: name === 'message' ? shown : `${name} ${shown}`,
    }),
    make('span', { className: 'id', textContent: id! }),
  )
  $('came').prepend(line)
  trim($('came'), LINES, 'lastElementChild')
}

function trim(list: HTMLElement, most: number, side: 'firstElementChild' | 'lastElementChild') {
  while (list.childElementCount > most) list[side]?.remove()
}

$('drop').addEventListener('click', () => {
  void client.publish(CHANNEL, { text: 'Hello from the first page' })
})

// ── what goes on in the demos ──

client.presence('demo:chat').onChange((members) => {
  const people = new Map<string, string>()
  for (const { id, data } of members.values()) {
    const { who = id, name = 'Somebody' } = (data ?? {}) as { who?: unknown; name?: unknown }
    people.set(String(who), String(name))
  }
  const faces = [...people].slice(0, FACES).map(([who, name]) => avatar(name, hueOf(who)))
  $('faces').replaceChildren(...faces)
  const { size } = people
  $('here').textContent =
    size === 0 ? 'Nobody is there yet' : size === 1 ? 'One is there now' : `${size} are there now`
})

client.subscribe(
  'demo:notifications',
  ({ data }) => {
    const { from, text } = (data ?? {}) as { from?: unknown; text?: unknown }
    if (typeof from === 'string' && typeof text === 'string')
      $('note').textContent = `${from}: ${text}`
  },
  { rewind: 1 },
)

document.querySelector('.faces.two')!.append(avatar('A', 210), avatar('G', 25))
