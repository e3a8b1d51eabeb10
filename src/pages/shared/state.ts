/** How a connection fares, in words and a colour: the same on every page. */
import type { ClientState } from '../../client/index.js'

export type Tone = 'good' | 'wait' | 'bad' | 'none'

/** In a word or two. */
export function wordsOf(state: ClientState, now = Date.now()): { text: string; tone: Tone } {
  switch (state.state) {
    case 'live':
      return { text: 'live', tone: 'good' }
    case 'polling':
      return { text: 'polling', tone: 'good' }
    case 'connecting':
      return { text: 'connecting', tone: 'wait' }
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((state.until - now) / 1000))
      return { text: seconds > 0 ? `again in ${seconds} s` : 'reconnecting', tone: 'wait' }
    }
    case 'offline':
      return { text: 'offline', tone: 'bad' }
    case 'ended':
      return { text: `ended: ${state.reason}`, tone: 'bad' }
    case 'idle':
      return { text: 'idle', tone: 'none' }
  }
}

/** Keeps a pill (theme.css) at what the client says. The answer ends it. */
export function showState(
  pill: HTMLElement,
  client: {
    readonly state: ClientState
    onState(listener: (state: ClientState) => unknown): () => void
  },
): () => void {
  const show = () => {
    const { text, tone } = wordsOf(client.state)
    // Only where it has changed: it is read out.
    if (pill.textContent !== text) pill.textContent = text
    pill.dataset.tone = tone
    pill.dataset.state = client.state.state
  }
  show()
  const end = client.onState(show)
  // A wait counts down.
  const timer = setInterval(() => client.state.state === 'waiting' && show(), 1000)
  return () => {
    clearInterval(timer)
    end()
  }
}
