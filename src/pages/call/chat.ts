/**
 * What is said, over data channels: no server sees it. Whoever comes later, or has reloaded, is told by
 * those who were there; what others have said is then theirs to tell, and a name in it no proof.
 */
import { $, make } from '../shared/dom.js'

interface Said {
  readonly id: string
  readonly name: string
  readonly hue: number
  readonly text: string
  /** Milliseconds since the epoch, by the clock of whoever said it. */
  readonly time: number
}

export interface Chat {
  /** Shows it, and gives what to send. */
  say(name: string, hue: number, text: string): string
  /** What came from somebody. */
  hear(data: unknown): void
  /** All that was said, message by message: for somebody who may not have heard it. */
  retell(): readonly string[]
  /** Something that happened. */
  note(text: string): void
}

/** Messages that are retold, the newest. */
const RETOLD = 50
const TIME = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit' })

export function createChat(): Chat {
  const list = $('messages')
  const known = new Map<string, Said>()
  list.replaceChildren()

  function show(said: Said, own: boolean): void {
    known.set(said.id, said)
    const name = make('b', { className: 'by-name', textContent: own ? 'You' : said.name })
    const time = make('time', { textContent: TIME.format(said.time) })
    const head = make('p', { className: 'by' }, name, time)
    head.style.setProperty('--hue', String(said.hue))
    const item = make('li', {}, head, make('p', { textContent: said.text }))
    item.dataset.time = String(said.time)
    // What is retold was said before all that is newer.
    const later = [...list.children].find((it) => Number(dataOf(it).time) > said.time)
    add(item, own ? undefined : later)
  }

  function add(item: HTMLElement, before?: Element): void {
    const log = $('log')
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40
    list.insertBefore(item, before ?? null)
    // Whoever reads further up is left there.
    if (atEnd) log.scrollTop = log.scrollHeight
  }

  return {
    say(name, hue, text) {
      // Not randomUUID, which pages without HTTPS don't have.
      const id = crypto.getRandomValues(new Uint32Array(4)).join('-')
      const said = { id, name, hue, text, time: Date.now() }
      show(said, true)
      return JSON.stringify(said)
    },
    hear(data) {
      const said = parse(data)
      if (said !== undefined && !known.has(said.id)) show(said, false)
    },
    retell: () => [...known.values()].slice(-RETOLD).map((said) => JSON.stringify(said)),
    note: (text) => add(make('li', { className: 'event', textContent: text })),
  }
}

function dataOf(element: Element): DOMStringMap {
  return (element as HTMLElement).dataset
}

/** A message as this page sends them, cut to what it would send; undefined where it is none. */
function parse(data: unknown): Said | undefined {
  try {
    const { id, name, hue, text, time } = JSON.parse(String(data)) as Partial<Said>
    if (!id || !text) return undefined
    return {
      id: String(id).slice(0, 60),
      name: String(name).slice(0, 40),
      hue: Number(hue) || 0,
      text: String(text).slice(0, 1000),
      // Nobody speaks in the future: it would stay below everything.
      time: Math.min(Number(time) || 0, Date.now()),
    }
  } catch {
    return undefined
  }
}
