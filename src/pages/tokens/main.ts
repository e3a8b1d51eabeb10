/** Asks, and reads the run that the answer is, in two ways. Which run it is stands in the address. */
import { $, make } from '../shared/dom.js'
import { readByClient } from './by-client.js'
import { readByEventSource } from './by-eventsource.js'
import { ask, type RefusedError, stateOf, stop } from './gateway.js'
import { isOver, NOTHING, type Reader, type Reading } from './reading.js'
import { createViewer, say, verdictOf } from './viewer.js'
import { createWire } from './wire.js'

const QUESTIONS = [
  'How does a sluice work?',
  'Why do rivers wander?',
  'What does a lock-keeper do all day?',
  'Why is a water meadow flooded in winter?',
]
const CUT_MS = 3000

const field = $<HTMLInputElement>('question')
const [send, stopper, reloader, cutter] = ['send', 'stop', 'reload', 'cut'].map((id) =>
  $<HTMLButtonElement>(id),
) as [HTMLButtonElement, HTMLButtonElement, HTMLButtonElement, HTMLButtonElement]
const viewers = [createViewer($('one')), createViewer($('two'))] as const
const wire = createWire()

let run: string | undefined
let readers: readonly Reader[] = []
let asking = false

// ── an answer ──

async function generate(question: string): Promise<void> {
  if (send.disabled || question.trim() === '') return
  asking = true
  complain('')
  refresh()
  try {
    location.hash = new URLSearchParams({ run: await ask(question.trim()) }).toString()
  } catch (error) {
    complain((error as Error).message)
  } finally {
    asking = false
    refresh()
  }
}

async function halt(): Promise<void> {
  if (run === undefined) return
  stopper.disabled = true
  try {
    await stop(run)
  } catch (error) {
    complain((error as Error).message)
    refresh()
  }
}

// ── the run that the address names ──

async function open(): Promise<void> {
  for (const reader of readers) reader.close()
  readers = []
  for (const viewer of viewers) viewer.clear()
  const wanted = new URLSearchParams(location.hash.slice(1)).get('run') ?? undefined
  run = wanted
  $('main').dataset.run = run === undefined ? 'none' : 'some'
  complain('')
  refresh()
  if (wanted === undefined) return
  try {
    // Its channel could be waited for as well, but nobody would ever write there.
    await stateOf(wanted)
  } catch (error) {
    const { code, message } = error as RefusedError
    const gone = code === 'run_unknown'
    complain(gone ? 'There is no such answer (any more). Ask again!' : message)
    return
  }
  // The address may name another one by now.
  if (run === wanted) read(wanted)
}

function read(run: string): void {
  $<HTMLAnchorElement>('elsewhere').href = location.href
  const show = (at: 0 | 1) => (reading: Reading) => {
    viewers[at].show(reading)
    refresh()
  }
  const { fetch } = wire
  readers = [
    readByClient({ run, from: remembered(run), fetch, onChange: show(0) }),
    readByEventSource(run, show(1)),
  ]
  refresh()
}

/** What the first reader had read when the page went, if it was the same run. */
function remembered(run: string): Reading {
  try {
    const kept = JSON.parse(sessionStorage.getItem('reading') ?? 'null')
    sessionStorage.removeItem('reading')
    if (kept?.run === run) return kept.reading
  } catch {
    // Then from the start.
  }
  return NOTHING
}

addEventListener('pagehide', () => {
  const reading = readers[0]?.reading
  // One that is over is read from its beginning: nothing comes after its last id.
  if (reading === undefined || isOver(reading) || reading.lastId === '') return
  sessionStorage.setItem('reading', JSON.stringify({ run, reading }))
})

// ── what can be pressed ──

function refresh(): void {
  const readings = readers.map(({ reading }) => reading)
  const going = readings.some((reading) => !isOver(reading))
  const question = readings.map((reading) => reading.question).find((text) => text !== '') ?? ''
  say($('asked'), question || 'One moment…')
  document.title = question === '' ? 'Tokens · Sluice' : `${question} · Sluice`
  send.disabled = asking || going
  say(send, asking ? 'Asking…' : 'Ask')
  stopper.disabled = !going
  reloader.disabled = run === undefined
  cutter.disabled = readings[0]?.phase !== 'streaming'
  // Not `disabled`: the one that was pressed keeps the focus.
  for (const chip of $('questions').querySelectorAll('button')) {
    chip.setAttribute('aria-disabled', String(send.disabled))
  }
  const { text, tone } = verdictOf(readings)
  $('verdict').dataset.tone = tone
  say($('verdict'), text)
}

function complain(text: string): void {
  say($('complaint'), text)
}

$('ask').addEventListener('submit', (event) => {
  event.preventDefault()
  void generate(field.value)
})
stopper.addEventListener('click', halt)
reloader.addEventListener('click', () => location.reload())
cutter.addEventListener('click', () => wire.cut(CUT_MS))
addEventListener('hashchange', open)
for (const question of QUESTIONS) {
  const chip = make('button', { type: 'button', textContent: question })
  chip.addEventListener('click', () => {
    if (send.disabled) return
    field.value = question
    void generate(question)
  })
  $('questions').append(chip)
}
void open()
