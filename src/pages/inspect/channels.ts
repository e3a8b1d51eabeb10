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

/** Rows that are asked for. */
export const ROWS = 100

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
  prefix.addEventListener('input', changed)

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
        readers!.textContent = count(subscribers)
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
      return { sort, limit: String(ROWS), prefix: prefix.value.trim() }
    },
    show({ channels, time, partial }) {
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
      none.textContent = prefix.value.trim()
        ? 'No channel that is read, or has news, begins like that.'
        : 'No channel is read, or has news.'
      const notes = [
        ...(channels.length >= ROWS ? [`The first ${ROWS} are shown.`] : []),
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
