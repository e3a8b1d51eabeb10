/**
 * Reads a run with nothing but the browser: EventSource comes back by itself, with the last id. While
 * nobody looks it is closed: six connections are all that a browser has for one origin by HTTP/1.1, and
 * each window holds two. (The client needs less: `shared` is one for all tabs.)
 */
import { runUrl, stateOf } from './gateway.js'
import { conclude, isOver, NOTHING, type Reader, type Reading, resume, take } from './reading.js'

export function readByEventSource(run: string, onChange: (reading: Reading) => void): Reader {
  let reading: Reading = { ...NOTHING, phase: 'connecting' }
  let resuming: 'cut' | 'hidden' | undefined
  let source: EventSource | undefined
  let closed = false

  function open(): void {
    const after = reading.lastId === '' ? '' : `?after=${encodeURIComponent(reading.lastId)}`
    source = new EventSource(`${runUrl(run)}/events${after}`)
    source.onopen = () => change({ ...reading, phase: 'streaming' })
    source.onmessage = onItem
    source.addEventListener('aborted', onItem)
    // An `error` with data is the run's; without, it is the connection's.
    source.onerror = (event) => {
      if (event instanceof MessageEvent) return onItem(event)
      if (source?.readyState === EventSource.CLOSED) return void end()
      if (reading.phase === 'streaming') resuming = 'cut'
      change({ ...reading, phase: 'connecting' })
    }
  }

  function onItem({ type, data, lastEventId }: MessageEvent<string>): void {
    if (resuming !== undefined) reading = resume(reading, resuming)
    resuming = undefined
    change(take(reading, { id: lastEventId, name: type, data }))
  }

  /** It won't come back: the run is over, or there is none. */
  async function end(): Promise<void> {
    try {
      change(conclude(reading, await stateOf(run)))
    } catch (error) {
      change({ ...reading, phase: 'failed', error: (error as Error).message })
    }
  }

  function look(): void {
    if (document.hidden) {
      source?.close()
      if (reading.lastId !== '') resuming = 'hidden'
      change({ ...reading, phase: 'connecting', waiting: 'hidden' })
    } else if (source?.readyState === EventSource.CLOSED) open()
  }

  function change(next: Reading): void {
    // An answer may come when nobody asks any more.
    if (closed) return
    reading = next
    if (isOver(next)) close()
    onChange(next)
  }

  function close(): void {
    closed = true
    document.removeEventListener('visibilitychange', look)
    source?.close()
  }

  document.addEventListener('visibilitychange', look)
  open()
  onChange(reading)
  return {
    get reading() {
      return reading
    },
    close,
  }
}
