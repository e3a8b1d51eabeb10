/** The tail of one channel: a reader like any other, but that it is present to nobody. */
import { type GapItem, type Item, type State, subscribe } from '../../client/index.js'
import { $, make } from '../shared/dom.js'
import { token } from './ask.js'
import { clock, count } from './words.js'

/** Events that are shown: of a lively channel nobody reads more. */
const SHOWN = 200
/** Events from before, to begin with. */
const REWIND = 20
/** Characters of an event's data. */
const LONGEST = 4_000

export interface Tail {
  open(channel: string): void
  close(): void
}

export function createTail(changed: (channel: string | undefined) => void): Tail {
  const panel = $('tail')
  const title = $('tail-title')
  const pill = $('tail-state')
  const list = $('tail-items')
  const counter = $('tail-count')
  const complaint = $('tail-complaint')
  const pause = $<HTMLButtonElement>('tail-pause')
  // It scrolls.
  list.tabIndex = 0
  let abort: AbortController | undefined
  let channel: string | undefined
  let events = 0
  let paused = false
  /** What is to be shown, the newest last. */
  let fresh: HTMLElement[] = []
  let drawing = false

  $('tail-close').addEventListener('click', close)
  pause.addEventListener('click', () => {
    paused = !paused
    pause.setAttribute('aria-pressed', String(paused))
    pause.textContent = paused ? 'Go on' : 'Pause'
    draw()
  })

  function draw(): void {
    if (drawing) return
    drawing = true
    // At most once for each picture, however much comes.
    requestAnimationFrame(() => {
      drawing = false
      const waiting = paused ? `, ${count(fresh.length)} wait` : ''
      counter.textContent = `${count(events)} ${events === 1 ? 'event' : 'events'}${waiting}`
      if (paused) return
      list.prepend(...fresh.reverse())
      fresh = []
      while (list.children.length > SHOWN) list.lastElementChild?.remove()
    })
  }

  function add(element: HTMLElement): void {
    fresh.push(element)
    if (fresh.length > SHOWN) fresh.shift()
    draw()
  }

  async function read(name: string, { signal }: AbortController): Promise<void> {
    const onState = (state: State) => {
      if (!signal.aborted) showState(state)
    }
    const items = subscribe({
      ...{ url: location.origin, channels: [name], rewind: REWIND, presence: false, signal },
      ...{ token: token(), fallback: 'stream', onState },
    })
    try {
      for await (const item of items) {
        if (item.type === 'event' && item.channel === name) events++
        const shown = shownAs(item)
        if (shown !== undefined) add(shown)
      }
    } catch (error) {
      if (signal.aborted) return
      complaint.textContent = error instanceof Error ? error.message : String(error)
      pillOf('refused', 'bad')
    }
  }

  function pillOf(text: string, tone: string): void {
    if (pill.textContent !== text) pill.textContent = text
    pill.dataset.tone = tone
  }

  function showState(state: State): void {
    if (state.state === 'open') pillOf(state.mode === 'poll' ? 'polling' : 'live', 'good')
    if (state.state === 'connecting') pillOf('connecting', 'wait')
    if (state.state === 'waiting') pillOf(`again in ${Math.ceil(state.ms / 1000)} s`, 'wait')
    if (state.state === 'ended') pillOf('closed', 'none')
  }

  function open(name: string): void {
    abort?.abort()
    abort = new AbortController()
    channel = name
    events = 0
    paused = false
    pause.setAttribute('aria-pressed', 'false')
    pause.textContent = 'Pause'
    fresh = []
    list.replaceChildren()
    counter.textContent = ''
    complaint.textContent = ''
    title.textContent = name
    pillOf('connecting', 'wait')
    panel.hidden = false
    changed(name)
    // Beside the table it is seen anyway, below it nobody would know.
    panel.scrollIntoView({ block: 'nearest' })
    panel.focus({ preventScroll: true })
    void read(name, abort)
  }

  function close(): void {
    abort?.abort()
    abort = undefined
    panel.hidden = true
    const left = channel
    channel = undefined
    changed(undefined)
    if (left === undefined) return
    const row = document.querySelector(`tr[data-channel="${CSS.escape(left)}"] button`)
    if (row instanceof HTMLElement) row.focus()
  }

  panel.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close()
  })

  return { open, close }
}

/** A line of the list; undefined for what the state says already. */
function shownAs(item: Item): HTMLElement | undefined {
  switch (item.type) {
    case 'event': {
      const { time, name, sender, json, id } = item
      const head = make(
        'p',
        { className: 'hint about' },
        make('time', { dateTime: new Date(time).toISOString(), textContent: clock(time, true) }),
      )
      if (name !== 'message') head.append(make('b', { textContent: name }))
      if (sender !== undefined) head.append(make('span', { textContent: `by ${sender}` }))
      if (id === undefined) head.append(make('i', { textContent: 'not kept' }))
      else head.title = id
      const cut = json.length > LONGEST
      const text = cut ? `${json.slice(0, LONGEST)}… (${count(json.length)} characters)` : json
      return make('li', {}, head, make('code', { textContent: text }))
    }
    case 'gap':
      return note('gap', wordsOfGap(item))
    case 'end':
      return note('end', `The channel was closed${item.reason === null ? '' : `: ${item.reason}`}.`)
    case 'presence':
      return note('end', `${count(item.members.length)} present on ${item.channel}.`)
    case 'bye':
      return note('end', `The gateway ended the stream: ${item.reason}.`)
    default:
      return undefined
  }
}

function note(className: string, text: string): HTMLElement {
  return make('li', { className, textContent: text })
}

const REASONS: Readonly<Record<string, string>> = {
  trimmed: 'the channel had more events than it keeps',
  expired: 'they were older than the channel keeps',
  deleted: 'they were removed on purpose',
  lost: 'the store has lost them, or may have',
  unknown: 'the store doesn’t know where this reader stood',
  withheld: 'the rights of this token don’t reach back so far',
}

function wordsOfGap({ after, next, reason }: GapItem): string {
  const where = after === null ? `before ${next}` : `between ${after} and ${next}`
  return `Gap (${reason}): events may be missing ${where}, for ${REASONS[reason] ?? reason}.`
}
