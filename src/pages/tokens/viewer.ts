/** Shows what a reader tells. The text is only ever added to, so that a selection in it stays. */
import { make } from '../shared/dom.js'
import type { Tone } from '../shared/state.js'
import { isOver, NOTHING, type Phase, type Reading, type Seam } from './reading.js'

export interface Viewer {
  show(reading: Reading): void
  clear(): void
}

const WORDS: Readonly<Record<Phase, readonly [words: string, tone: Tone]>> = {
  idle: ['idle', 'none'],
  connecting: ['connecting', 'wait'],
  streaming: ['streaming', 'good'],
  done: ['done', 'good'],
  stopped: ['stopped', 'bad'],
  failed: ['failed', 'bad'],
}
const WHY: Readonly<Record<Seam['why'], string>> = {
  cut: 'Cut',
  reloaded: 'Reloaded',
  hidden: 'Hidden for a while',
}
/** Pixels from the end of the text within which it is followed. */
const NEAR_END = 48
/** Lines below the text, the newest. */
const NOTES = 2

/** `root`: a viewer of the page. */
export function createViewer(root: HTMLElement): Viewer {
  const part = (name: string) => root.querySelector<HTMLElement>(`[data-part=${name}]`)!
  const [pill, text, notes] = [part('pill'), part('text'), part('notes')]
  const scroller = text.parentElement!
  let shown = ''
  let seams = 0

  function show(reading: Reading): void {
    // Another run, or the same one again.
    if (!reading.text.startsWith(shown)) clear()
    const following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END
    for (const { at } of reading.seams.slice(seams)) {
      write(reading.text.slice(shown.length, at))
      if (at > 0) text.append(mark())
      seams++
    }
    write(reading.text.slice(shown.length))

    const { phase, tokens } = reading
    const [words, tone] = WORDS[phase]
    root.dataset.phase = phase
    pill.dataset.tone = tone
    say(pill, (phase === 'connecting' && reading.waiting) || words)
    text.setAttribute('aria-busy', String(phase === 'streaming' || phase === 'connecting'))
    part('tokens').textContent = tokens.toLocaleString('en')
    part('id').textContent = reading.lastId || '–'
    tell(reading)
    // Last: notes may have made the text's place smaller.
    if (following) scroller.scrollTop = scroller.scrollHeight
  }

  function write(more: string): void {
    if (more === '') return
    if (text.lastChild instanceof Text) text.lastChild.appendData(more)
    else text.append(more)
    shown += more
  }

  function tell(reading: Reading): void {
    const lines = reading.seams.map(({ why, tokens, id }) => ({
      tone: 'resumed',
      text: `${WHY[why]}; resumed at token ${tokens}`,
      more: `, after ${id}`,
    }))
    const { phase, tokens, error = '' } = reading
    const add = (tone: string, text: string) => lines.push({ tone, text, more: '' })
    if (phase === 'stopped') add('stopped', `Stopped after ${tokens} tokens`)
    if (phase === 'failed') add('bad', error)
    const wanted = lines.slice(-NOTES)
    const same = wanted.map(({ text }) => text).join('\n')
    // Once for each change, or it would be read out with every token.
    if (notes.dataset.said === same) return
    notes.dataset.said = same
    notes.replaceChildren(
      ...wanted.map(({ tone, text, more }) => {
        const line = make('p', {}, text, make('span', { className: 'more', textContent: more }))
        line.dataset.tone = tone
        return line
      }),
    )
  }

  function clear(): void {
    text.replaceChildren()
    shown = ''
    seams = 0
  }

  return {
    show,
    clear() {
      clear()
      show(NOTHING)
    },
  }
}

/** The line below both, once both are at their end. */
export function verdictOf(readings: readonly Reading[]): { text: string; tone: Tone } {
  const [one, ...others] = readings
  if (one === undefined || !readings.every(isOver) || readings.some(({ error }) => error)) {
    return { text: '', tone: 'none' }
  }
  const bytes = new TextEncoder().encode(one.text).length.toLocaleString('en')
  if (others.every(({ text }) => text === one.text)) {
    return { text: `Both readers have the same ${bytes} bytes`, tone: 'good' }
  }
  return { text: 'The readers have different texts', tone: 'bad' }
}

/** Only where it has changed: it is read out. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** A mark where another connection went on. It has no text: the text stays what was written. */
function mark(): HTMLElement {
  return make('i', { className: 'seam', title: 'Another connection went on here' })
}
