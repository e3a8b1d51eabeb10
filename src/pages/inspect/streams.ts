/** The table of streams. */
import { $, make } from '../shared/dom.js'
import type { NodeAnswer, StreamAnswer, Streams } from './answers.js'
import { bytes, count, span } from './words.js'

/** Rows that are asked for. */
export const STREAMS = 25

export function showStreams(): (answer: Streams, nodes: readonly NodeAnswer[]) => void {
  const body = $('stream-rows')
  const none = $('streams-none')
  return ({ streams, time }, nodes) => {
    const names = new Map(nodes.map(({ id, host, pid }) => [id, `${host} · ${pid}`]))
    body.replaceChildren(...streams.map((stream) => row(stream, names.get(stream.node), time)))
    none.hidden = streams.length > 0
  }
}

function row(stream: StreamAnswer, node: string | undefined, now: number): HTMLElement {
  const { session, subject, address, channels, buffered, opened } = stream
  const who = make('td', {}, make('span', { textContent: subject ?? address ?? 'somebody' }))
  const more = [...(subject === null ? [] : [address]), session].filter((it) => it !== null)
  if (more.length > 0)
    who.append(make('span', { className: 'hint id', textContent: more.join(' · ') }))
  const age = span(now - opened)
  const at = node ?? stream.node
  // Where there is no room for their columns.
  who.append(make('span', { className: 'hint id narrow', textContent: `open for ${age} on ${at}` }))
  const rest = stream.count - channels.length
  const named = channels.join(', ') + (rest > 0 ? ` and ${count(rest)} more` : '')
  const { text, tone } = stateOf(stream)
  const pill = make('span', { className: 'pill', textContent: text })
  pill.dataset.tone = tone
  const element = make(
    'tr',
    {},
    who,
    make('td', { className: 'names', textContent: named }),
    make('td', {}, pill),
    make('td', { className: 'number', textContent: buffered > 0 ? bytes(buffered) : '–' }),
    make('td', { className: 'number wide', textContent: age }),
    make('td', { className: 'wide', textContent: at }),
  )
  return element
}

function stateOf({ phase, stalledMs }: StreamAnswer): { text: string; tone: string } {
  if (stalledMs > 0) return { text: `stalled for ${span(stalledMs)}`, tone: 'bad' }
  if (phase === 'replaying') return { text: 'catching up', tone: 'wait' }
  return phase === 'live' ? { text: 'live', tone: 'good' } : { text: 'ending', tone: 'none' }
}
