/** Asks by the relay, and reads the run that it becomes twice. Which run it is stands in the address. */
import { NOTHING, readRun } from './reader.js'
import { createViewer } from './viewer.js'

const setup = await (await fetch('/setup.json')).json()
const $ = (id) => document.getElementById(id)
const [form, field, ask, stop, reload] = ['ask', 'question', 'send', 'stop', 'reload'].map($)
const viewers = ['one', 'two'].map((id) => createViewer($(id), compare))

let run
let readers = []
let asking = false

// ── a generation ──

async function generate(question) {
  if (ask.disabled || question.trim() === '') return
  asking = true
  complain('')
  refresh()
  try {
    const answer = await fetch(`${setup.gateway}/v1/relay/local/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'river-1-mini',
        stream: true,
        messages: [{ role: 'user', content: question }],
      }),
    })
    if (!answer.ok) throw new Error(await problemOf(answer))
    const id = answer.headers.get('sluice-run')
    // The generation goes on without this connection. Viewers have their own.
    void answer.body?.cancel()
    location.hash = new URLSearchParams({ run: id, q: question })
  } catch (error) {
    complain(wordsOf(error))
  } finally {
    asking = false
    refresh()
  }
}

async function problemOf(answer) {
  const problem = await answer.json().catch(() => ({}))
  return problem.detail ?? problem.error?.message ?? `The gateway answers ${answer.status}.`
}

/** `fetch` fails with a TypeError of each browser's own words. */
function wordsOf(error) {
  return error instanceof TypeError ? 'The gateway can’t be reached.' : error.message
}

/** Ends the run for every reader, wherever it is read. */
async function halt() {
  stop.disabled = true
  try {
    const url = `${setup.gateway}/v1/runs/${encodeURIComponent(run)}/stop`
    // keepalive: it arrives even if the page goes.
    const answer = await fetch(url, { method: 'POST', keepalive: true })
    if (!answer.ok) throw new Error(await problemOf(answer))
  } catch (error) {
    complain(wordsOf(error))
    refresh()
  }
}

/** Whether a text is, byte for byte, what the upstream says that it wrote. */
async function compare(completion, text) {
  const bytes = new TextEncoder().encode(text).length.toLocaleString('en')
  try {
    const answer = await fetch(`/generated/${completion}`)
    const wrote = (await answer.json()).text
    return wrote === text
      ? { tone: 'good', text: `Identical to what the upstream wrote: ${bytes} bytes` }
      : { tone: 'bad', text: 'Not what the upstream wrote' }
  } catch {
    return { tone: 'bad', text: 'The upstream no longer knows what it wrote' }
  }
}

// ── the run that the address names ──

function open() {
  for (const reader of readers) reader.close()
  readers = []
  const address = new URLSearchParams(location.hash.slice(1))
  run = address.get('run') ?? undefined
  const question = address.get('q') ?? ''
  $('asked').textContent = question
  document.querySelector('main').dataset.run = run === undefined ? 'none' : 'some'
  document.title = question === '' ? 'Sluice · token streaming' : `${question} · Sluice`
  for (const viewer of viewers) viewer.clear()
  if (run !== undefined) {
    $('elsewhere').href = location.href
    // The first one goes on where it was before a reload; the second one reads everything again.
    const sources = [remembered(), undefined]
    readers = viewers.map((viewer, at) => {
      const from = sources[at] ?? NOTHING
      const onChange = (state) => {
        viewer.show(state)
        refresh()
      }
      return readRun({ gateway: setup.viewers[at], run, from, onChange })
    })
  }
  refresh()
}

/** What the first viewer had read when the page went, if it was the same run and isn't over. */
function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem('kept') ?? 'null')
    sessionStorage.removeItem('kept')
    return kept?.run === run ? kept.state : undefined
  } catch {
    return undefined
  }
}

addEventListener('pagehide', () => {
  const state = readers[0]?.state
  const going = state?.phase === 'streaming' || state?.phase === 'connecting'
  // One that is over is read from its beginning: its cursor would get nothing more.
  if (going && state.lastId !== '') sessionStorage.setItem('kept', JSON.stringify({ run, state }))
})

// ── what can be pressed ──

function refresh() {
  const phases = readers.map(({ state }) => state.phase)
  const going = phases.some((phase) => phase === 'connecting' || phase === 'streaming')
  ask.disabled = asking || going
  ask.textContent = asking ? 'Asking…' : 'Ask'
  stop.disabled = !going
  reload.disabled = run === undefined
  for (const chip of $('questions').querySelectorAll('button')) {
    chip.setAttribute('aria-disabled', ask.disabled)
  }
}

function complain(text) {
  $('complaint').textContent = text
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  void generate(field.value)
})
stop.addEventListener('click', halt)
reload.addEventListener('click', () => location.reload())
addEventListener('hashchange', open)
for (const [at, id] of ['one', 'two'].entries()) {
  const button = $(id).querySelector('[data-part=cut]')
  button.addEventListener('click', () => fetch(`/wires/${at}/cut`, { method: 'POST' }))
}
$('questions').append(
  ...setup.questions.map((question) => {
    const chip = document.createElement('button')
    chip.type = 'button'
    chip.textContent = question
    chip.addEventListener('click', () => {
      if (ask.disabled) return
      field.value = question
      void generate(question)
    })
    return chip
  }),
)
open()
