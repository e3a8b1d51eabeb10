/** What happened to the connection, newest first, with the time that it took. */
import type { ClientState } from '../../client/index.js'
import { make } from '../shared/dom.js'
import type { Tone } from '../shared/state.js'

const MAX_SHOWN = 40

export function createTimeline(list: HTMLElement, now: () => number = Date.now) {
  let last: number | undefined
  return (text: string, tone: Tone = 'none'): void => {
    const at = now()
    const clock = new Date(at).toLocaleTimeString([], { hour12: false })
    const since = last === undefined ? '' : `+${((at - last) / 1000).toFixed(1)} s`
    last = at
    const item = make(
      'li',
      {},
      make('span', { className: 'what', textContent: text }),
      make('span', { className: 'since', textContent: since, title: clock }),
    )
    item.dataset.tone = tone
    list.prepend(item)
    while (list.childElementCount > MAX_SHOWN) list.lastElementChild?.remove()
  }
}

/** A change of the state in a sentence; undefined: nothing to say. */
export function sentenceFor(next: ClientState, before: ClientState): [string, Tone] | undefined {
  switch (next.state) {
    case 'live':
      return [before.state === 'polling' ? 'Live again: the stream gets through' : 'Live', 'good']
    case 'polling':
      return ['Polling: the same cursor, by finite answers', 'good']
    case 'waiting': {
      // The same wait, shortened.
      if (before.state === 'waiting') return undefined
      const seconds = ((next.until - Date.now()) / 1000).toFixed(1)
      return [`${capital(next.reason)}: again in ${seconds} s`, 'wait']
    }
    case 'connecting':
      if (before.state === 'live') return ['Nothing came in time: the stream is given up', 'wait']
      return before.state === 'idle' ? ['A stream is opened', 'wait'] : undefined
    case 'offline':
      return ['The browser says that there is no network', 'bad']
    case 'ended':
      return [`Ended: ${next.reason}`, 'bad']
    case 'idle':
      return undefined
  }
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
