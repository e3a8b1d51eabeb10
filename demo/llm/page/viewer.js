/** Shows what a reader tells. The text is only ever added to, so that a selection in it stays. */

const WORDS = {
  idle: 'waiting',
  connecting: 'connecting',
  streaming: 'streaming',
  done: 'done',
  stopped: 'stopped',
  error: 'error',
}
const TONES = { connecting: 'wait', streaming: 'good', done: 'good', stopped: 'bad', error: 'bad' }
/** Pixels from the end of the text within which it is followed. */
const NEAR_END = 48

/** `element`: a viewer of the page. `compare`: resolves with whether a text is what the upstream wrote. */
export function createViewer(element, compare) {
  const part = (name) => element.querySelector(`[data-part=${name}]`)
  const [pill, text, tokens, id, notes, cut] = [
    ...['pill', 'text', 'tokens', 'id', 'notes', 'cut'].map(part),
  ]
  let shown = ''
  let seams = 0
  let phase = 'idle'
  let verdict

  function clear() {
    text.replaceChildren()
    shown = ''
    seams = 0
    verdict = undefined
    phase = 'idle'
  }

  function show(state) {
    // Another run, or the same one again.
    if (!state.text.startsWith(shown)) clear()
    const scroller = text.parentElement
    const following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END
    for (const at of state.seams.slice(seams)) {
      write(state.text.slice(shown.length, at))
      text.append(mark())
      seams++
    }
    write(state.text.slice(shown.length))

    const before = phase
    phase = state.phase
    element.dataset.phase = phase
    pill.dataset.tone = TONES[phase] ?? 'none'
    pill.textContent = phase === 'connecting' && state.tokens > 0 ? 'reconnecting' : WORDS[phase]
    text.setAttribute('aria-busy', String(phase === 'streaming' || phase === 'connecting'))
    tokens.textContent = state.tokens.toLocaleString('en')
    id.textContent = state.lastId || '–'
    cut.disabled = phase !== 'streaming'
    if (phase === 'done' && before !== 'done') void judge(state)
    tell(state)
    // Last: notes may have made the text's place smaller.
    if (following) scroller.scrollTop = scroller.scrollHeight
  }

  function write(more) {
    if (more === '') return
    if (text.lastChild?.nodeType === Node.TEXT_NODE) text.lastChild.appendData(more)
    else text.append(more)
    shown += more
  }

  async function judge(state) {
    verdict = await compare(state.completion, state.text)
    if (phase === 'done') show(state)
  }

  function tell({ phase, error, notes: happened, tokens }) {
    const lines = happened.map(({ why, tokens, lastId }) => ({
      tone: 'resumed',
      text: `${why === 'cut' ? 'Cut; ' : 'Reloaded; '}resumed at token ${tokens}, after ${lastId}`,
    }))
    if (phase === 'stopped') lines.push({ tone: 'stopped', text: `Stopped after ${tokens} tokens` })
    if (phase === 'error') lines.push({ tone: 'bad', text: error })
    if (phase === 'done' && verdict) lines.push(verdict)
    const wanted = lines.slice(-3)
    const same = wanted.map(({ text }) => text).join('\n')
    // Once for each change, or screen readers would read it with every token.
    if (notes.dataset.said === same) return
    notes.dataset.said = same
    notes.replaceChildren(
      ...wanted.map(({ tone, text }) => {
        const line = document.createElement('p')
        line.dataset.tone = tone
        line.textContent = text
        return line
      }),
    )
  }

  return {
    show,
    clear() {
      clear()
      show({ text: '', tokens: 0, lastId: '', seams: [], notes: [], phase: 'idle' })
    },
  }
}

/** A mark where another connection went on. It has no text: the text stays what was written. */
function mark() {
  const seam = document.createElement('i')
  seam.className = 'seam'
  seam.title = 'Another connection went on here'
  return seam
}
