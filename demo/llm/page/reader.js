/**
 * Reads a run of OpenAI's format with the browser's own EventSource. What is known of it is one value,
 * and each change is told:
 *
 *     connecting ──▶ streaming ──▶ done | stopped | error
 *         ▲              │
 *         └─ connection ─┘ lost: the browser comes back by itself, with Last-Event-ID
 */

/** Nothing read yet. `seams`: places in the text at which another connection went on. */
export const NOTHING = { text: '', tokens: 0, lastId: '', seams: [], completion: '', notes: [] }

/**
 * `from`: what was read before, in an earlier life of the page; the run is read on from there.
 * Default: from its beginning. `onChange` gets {phase, error?, …} as in NOTHING. Answers how to end it.
 */
export function readRun({ gateway, run, from = NOTHING, onChange }) {
  const url = `${gateway}/v1/runs/${encodeURIComponent(run)}`
  let state = { ...from, phase: 'connecting' }
  let closed = false
  /** Set while nothing has come on this connection: where the one before ended. */
  let resuming = from.lastId === '' ? undefined : 'reloaded'

  const after = from.lastId === '' ? '' : `?after=${encodeURIComponent(from.lastId)}`
  const source = new EventSource(`${url}/events${after}`)

  source.onopen = () => change({ phase: 'streaming', ...(resuming && seam(resuming)) })
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) return void ask()
    if (state.phase === 'streaming' && state.tokens > 0) resuming = 'cut'
    change({ phase: 'connecting' })
  }
  source.onmessage = ({ data, lastEventId }) => {
    const lastId = lastEventId
    // As the SDKs have it: nothing after it counts.
    if (data.startsWith('[DONE]')) return finish({ lastId, phase: 'done' })
    const { id, error, choices } = JSON.parse(data)
    if (error) return finish({ lastId, ...endOf(error) })
    const content = choices?.[0]?.delta?.content ?? ''
    change({
      lastId,
      completion: id ?? state.completion,
      text: state.text + content,
      tokens: state.tokens + (content === '' ? 0 : 1),
    })
  }

  /** Where this connection goes on: nothing before it is sent again. */
  function seam(why) {
    resuming = undefined
    const { text, tokens, lastId, seams, notes } = state
    return {
      seams: text === '' ? seams : [...seams, text.length],
      notes: [...notes, { why, tokens, lastId }],
    }
  }

  /** The stream won't come back. Its record outlives its events, and knows why. */
  async function ask() {
    try {
      const answer = await fetch(url)
      const record = await answer.json()
      if (!answer.ok) return finish({ phase: 'error', error: record.detail ?? record.title })
      if (record.state === 'done' && record.text === state.text) return finish({ phase: 'done' })
      if (record.state === 'aborted') return finish({ phase: 'stopped' })
      finish({ phase: 'error', error: record.error?.message ?? 'The stream ended too early' })
    } catch {
      finish({ phase: 'error', error: 'The gateway can’t be reached' })
    }
  }

  function finish(end) {
    source.close()
    change(end)
  }

  function change(more) {
    // An answer may come when nobody asks any more.
    if (closed) return
    state = { ...state, ...more }
    onChange(state)
  }

  onChange(state)
  return {
    get state() {
      return state
    },
    close() {
      closed = true
      source.close()
    },
  }
}

/** Stopped by somebody is an error to the format, with a code of its own. */
function endOf({ code, message }) {
  return code === 'aborted' ? { phase: 'stopped' } : { phase: 'error', error: message }
}
