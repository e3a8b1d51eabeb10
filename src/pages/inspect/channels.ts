/** The table of channels: ordered by the gateway, for it knows more of them than are shown. */
import { $, make } from '../shared/dom.js'
import type { ChannelAnswer, Channels } from './answers.js'
import { count, rate, span } from './words.js'

const COLUMNS = [
  { sort: 'channel', name: 'Channel' },
  { sort: 'subscribers', name: 'Readers' },
  { sort: 'rate', name: 'Events/s' },
  { sort: 'last', name: 'Last' },
] as const
type Sort = (typeof COLUMNS)[number]['sort']

/** Rows that are shown. */
const ROWS = 100
/** Rows that are asked for where the gateway's own are to be left out: they may be most of them. */
const ROWS_WITH_OWN = 500
/** What the gateway itself needs, for sessions, presence and rooms. */
const OWN = ['session:', 'presence:', 'inbox:']

interface Row {
  readonly element: HTMLTableRowElement
  show(channel: ChannelAnswer, now: number): void
}

export interface ChannelTable {
  /** What to ask for. */
  readonly query: Readonly<Record<string, string>>
  show(answer: Channels): void
  /** Which one is open in the tail. */
  mark(channel: string | undefined): void
}

export function createChannelTable(
  changed: () => void,
  open: (channel: string) => void,
): ChannelTable {
  const body = $('channel-rows')
  const prefix = $<HTMLInputElement>('prefix')
  const own = $<HTMLInputElement>('own')
  const seek = $<HTMLButtonElement>('seek-open')
  const none = $('channels-none')
  const foot = $('channels-foot')
  const rows = new Map<string, Row>()
  let sort: Sort = 'rate'
  let marked: string | undefined

  const heads = COLUMNS.map((column) => {
    const button = make('button', { type: 'button', textContent: column.name })
    const head = make('th', { scope: 'col' }, button)
    if (column.sort !== 'channel') head.className = 'number'
    button.addEventListener('click', () => {
      sort = column.sort
      sorted()
      changed()
    })
    return { column, head }
  })
  $('channel-head').append(make('tr', {}, ...heads.map(({ head }) => head)))
  sorted()
  prefix.addEventListener('input', () => {
    seek.disabled = wanted() === ''
    changed()
  })
  own.addEventListener('change', changed)
  $('seek').addEventListener('submit', (event) => {
    event.preventDefault()
    if (wanted() !== '') open(wanted())
  })

  const wanted = () => prefix.value.trim()

  /** Whoever types the kind wants to see it. */
  const showsOwn = () => own.checked || OWN.some((kind) => wanted().startsWith(kind))

  function sorted(): void {
    for (const { column, head } of heads) {
      if (column.sort !== sort) head.removeAttribute('aria-sort')
      else head.setAttribute('aria-sort', sort === 'channel' ? 'ascending' : 'descending')
    }
  }

  function createRow(name: string): Row {
    const button = make('button', { type: 'button', textContent: name, title: `Tail of ${name}` })
    const [readers, lively, last] = ['', '', ''].map(() => make('td', { className: 'number' }))
    const element = make('tr', {}, make('td', {}, button), readers!, lively!, last!)
    element.dataset.channel = name
    element.addEventListener('click', () => open(name))
    return {
      element,
      show({ subscribers, rate: now, time }, at) {
        // The tail is a reader like any other.
        readers!.textContent = count(subscribers) + (name === marked ? ', with you' : '')
        lively!.textContent = now > 0 ? rate(now) : '–'
        last!.textContent = time === null ? '–' : span(at - time)
        element.classList.toggle('quiet', now === 0)
        button.setAttribute('aria-pressed', String(name === marked))
        element.classList.toggle('open', name === marked)
      },
    }
  }

  return {
    get query() {
      return { sort, limit: String(showsOwn() ? ROWS : ROWS_WITH_OWN), prefix: wanted() }
    },
    show({ channels: all, time, partial }) {
      const fitting = showsOwn() ? all : all.filter(({ channel }) => !isOwn(channel))
      const channels = fitting.slice(0, ROWS)
      const here = new Set(channels.map(({ channel }) => channel))
      for (const [name, row] of rows) {
        if (here.has(name)) continue
        row.element.remove()
        rows.delete(name)
      }
      for (const [i, channel] of channels.entries()) {
        const row = rows.get(channel.channel) ?? createRow(channel.channel)
        rows.set(channel.channel, row)
        row.show(channel, time)
        // Only what has moved: a row that is taken out loses the focus.
        if (body.children[i] !== row.element)
          body.insertBefore(row.element, body.children[i] ?? null)
      }
      none.hidden = channels.length > 0
      none.textContent =
        wanted() === ''
          ? 'No channel is read, or has news.'
          : 'No channel that is read, or has news, begins like that. “Open” shows what a quiet one keeps.'
      const left = all.length - fitting.length
      const notes = [
        ...(channels.length >= ROWS ? [`The first ${ROWS} are shown.`] : []),
        ...(left > 0 ? [`${count(left)} of the gateway’s own (${OWN.join(', ')}) left out.`] : []),
        ...(partial === true ? ['Some nodes haven’t told theirs.'] : []),
      ]
      foot.hidden = notes.length === 0
      foot.textContent = notes.join(' ')
    },
    mark(channel) {
      marked = channel
      for (const [name, { element }] of rows) {
        element.classList.toggle('open', name === channel)
        element.querySelector('button')?.setAttribute('aria-pressed', String(name === channel))
      }
    },
  }
}

function isOwn(channel: string): boolean {
  return OWN.some((kind) => channel.startsWith(kind))
}
