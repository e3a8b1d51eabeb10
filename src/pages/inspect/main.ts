/**
 * `/inspect`: how all nodes are, every two seconds while the page is seen.
 *
 *     overview ─▶ figures, nodes        at once
 *     lists ────▶ channels, streams     when all nodes have told theirs
 */
import { $ } from '../shared/dom.js'
import type { Channels, NodeAnswer, Overview, Streams } from './answers.js'
import { ask, isLocked, keepToken, RefusedError, token } from './ask.js'
import { createChannelTable } from './channels.js'
import { showFigures } from './figures.js'
import { showNodes } from './nodes.js'
import { STREAMS, showStreams } from './streams.js'
import { createTail } from './tail.js'
import { clock } from './words.js'

const EVERY_MS = 2_000

const standing = $('standing')
const asOf = $('asof')
const door = $<HTMLFormElement>('door')
const field = $<HTMLInputElement>('token')
const refusal = $('refusal')
const forget = $('forget')
const view = $('view')
const pair = $('pair')

const figures = showFigures($('figures'))
const cards = showNodes($('nodes'))
const streams = showStreams()
const tail = createTail((channel) => {
  pair.classList.toggle('split', channel !== undefined)
  table.mark(channel)
  // A door that is shut closes the tail, too: it is opened again with it.
  if (door.hidden) keepInAddress(channel)
})
const table = createChannelTable(() => void look('lists'), tail.open)

let nodes: readonly NodeAnswer[] = []
let timer: ReturnType<typeof setTimeout> | undefined
/** Counts what was begun anew: an answer to what was asked before shows nothing. */
let turn = 0
let lists = 0

/** `#channel=…`: the tail that a reload opens again. */
function keepInAddress(channel: string | undefined): void {
  const named = channel && encodeURIComponent(channel).replaceAll('%3A', ':')
  const hash = named ? `#channel=${named}` : ''
  history.replaceState(undefined, '', location.pathname + location.search + hash)
}

function openAddressed(): void {
  const channel = new URLSearchParams(location.hash.slice(1)).get('channel')
  if (channel) tail.open(channel)
  else tail.close()
}

function say(text: string, tone: string): void {
  // Only where it has changed: it is read out.
  if (standing.textContent !== text) standing.textContent = text
  standing.dataset.tone = tone
}

async function lookAll(own: number): Promise<void> {
  const answer = await ask<Overview>('/v1/admin')
  if (own !== turn) return
  nodes = answer.nodes
  door.hidden = true
  const first = view.hidden
  view.hidden = false
  view.classList.remove('old')
  forget.hidden = token() === undefined
  figures(answer)
  cards(answer)
  asOf.textContent = `as of ${clock(answer.time)}`
  const bad = nodes.filter(({ fault }) => fault !== null).length
  if (answer.partial === true) say('the store can’t be asked: this node alone', 'bad')
  else if (bad > 0) say(`${bad} of ${nodes.length} nodes can’t serve`, 'bad')
  else say('live', 'good')
  if (first) openAddressed()
}

async function lookAtLists(own: number): Promise<void> {
  const own_ = ++lists
  const [channels, worst] = await Promise.all([
    ask<Channels>('/v1/admin/channels', table.query),
    ask<Streams>('/v1/admin/streams', { limit: String(STREAMS) }),
  ])
  if (own !== turn || own_ !== lists) return
  table.show(channels)
  streams(worst, nodes)
}

async function look(what: 'all' | 'lists'): Promise<void> {
  const own = turn
  try {
    if (what === 'all') await lookAll(own)
    await lookAtLists(own)
  } catch (error) {
    if (own === turn) fail(error)
  }
}

function fail(error: unknown): void {
  if (error instanceof RefusedError) {
    askForToken(error.had ? error.message : '')
    return
  }
  // What is shown is old from here on, and says so.
  if (error instanceof TypeError || (error as Error).name === 'TimeoutError') {
    say('the gateway doesn’t answer', 'bad')
  } else say((error as Error).message, 'bad')
  view.classList.add('old')
}

function askForToken(why: string): void {
  turn++
  view.hidden = true
  forget.hidden = true
  asOf.textContent = ''
  say(why === '' ? 'locked' : 'refused', why === '' ? 'none' : 'bad')
  refusal.textContent = why
  if (!door.hidden) return
  door.hidden = false
  tail.close()
  field.focus()
}

async function round(): Promise<void> {
  clearTimeout(timer)
  if (document.hidden) return
  const own = turn
  await look('all')
  if (own !== turn || !door.hidden) return
  clearTimeout(timer)
  timer = setTimeout(round, EVERY_MS)
}

door.addEventListener('submit', (event) => {
  event.preventDefault()
  keepToken(field.value.trim())
  field.value = ''
  turn++
  void round()
})
forget.addEventListener('click', () => {
  keepToken(undefined)
  askForToken('')
})
addEventListener('hashchange', () => {
  if (!view.hidden) openAddressed()
})
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && door.hidden) void round()
})

// Where nobody answers, the round says so.
const locked = await isLocked().catch(() => false)
// The demos are those of a gateway that is open.
document.body.classList.toggle('locked', locked)
if (locked) document.querySelector('.brand')?.removeAttribute('href')
if (locked && token() === undefined) askForToken('')
else void round()
