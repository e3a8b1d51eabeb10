/** The notifications as they come, newest first, and how each of them came. */
import { avatar, hueOf, make } from '../shared/dom.js'
import type { Way } from './proxy.js'

export const MAX_SHOWN = 50
/** Milliseconds from which on one would have noticed. */
const SLOW_MS = 1_000

export interface Note {
  readonly from: string
  readonly text: string
  /** Tells whose it is. */
  readonly key?: string
}

const NOTES: readonly Note[] = [
  { from: 'Mill weir', text: 'The level has risen by two fingers since noon.' },
  { from: 'Upper gate', text: 'Opened by a hand’s breadth.' },
  { from: 'Lower lock', text: 'The barge Margarethe is through.' },
  { from: 'Fish pass', text: 'Three trout, upstream.' },
  { from: 'Water meadow', text: 'Flooded, a finger deep and moving.' },
  { from: 'Heron', text: 'Has been seen on one leg.' },
  { from: 'Rain gauge', text: 'Four millimetres in the last hour.' },
  { from: 'Spillway', text: 'Runs over the sill by itself. Nobody has to get up.' },
  { from: 'Boathouse', text: 'The green one is back.' },
  { from: 'Ferry', text: 'Waits on the other side.' },
]

let next = Math.floor(Math.random() * NOTES.length)

/** One after the other. */
export function anyNote(): Note {
  return NOTES[next++ % NOTES.length]!
}

/** An event's data, which may be anything. */
export function noteIn(data: unknown): Note {
  const { from, text, key } = (data ?? {}) as Record<keyof Note, unknown>
  return {
    from: typeof from === 'string' && from !== '' ? from.slice(0, 40) : 'Somebody',
    text: (typeof text === 'string' ? text : JSON.stringify(data)).slice(0, 300),
    ...(typeof key === 'string' && { key }),
  }
}

export function createFeed(list: HTMLElement) {
  /**
   * `took`: milliseconds from the click on; undefined where another window has sent it. `log`: it was
   * there before this page was.
   */
  return (note: Note, time: number, took: number | undefined, way: Way | 'log'): void => {
    const slow = took !== undefined && took >= SLOW_MS
    const passed =
      took === undefined
        ? 'from elsewhere'
        : took < SLOW_MS
          ? `${Math.round(took)} ms`
          : `${(took / 1000).toFixed(1)} s`
    const words = way === 'log' ? 'from the log' : `${passed} · ${way}`
    const item = make(
      'li',
      {},
      avatar(note.from, hueOf(note.from)),
      make('span', { className: 'from', textContent: note.from }),
      make('span', {
        className: 'clock',
        textContent: new Date(time).toLocaleTimeString([], { hour12: false }),
      }),
      make('span', { className: 'text', textContent: note.text }),
      make('span', { className: slow ? 'took slow' : 'took', textContent: words }),
    )
    item.dataset.way = way
    if (note.key !== undefined) item.dataset.key = note.key
    list.prepend(item)
    while (list.childElementCount > MAX_SHOWN) list.lastElementChild?.remove()
  }
}
