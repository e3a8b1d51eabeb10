/** Reads a run as any channel is read with the client: it comes back by itself, after the last event. */
import { type ClientState, connect } from '../../client/index.js'
import { wordsOf } from '../shared/state.js'
import { stateOf } from './gateway.js'
import { conclude, isOver, type Reader, type Reading, resume, take } from './reading.js'

interface ClientReader {
  readonly run: string
  /** What was read before, in an earlier life of the page: it goes on from there. */
  readonly from: Reading
  readonly fetch: typeof globalThis.fetch
  readonly onChange: (reading: Reading) => void
}

export function readByClient({ run, from, fetch, onChange }: ClientReader): Reader {
  let reading: Reading = { ...from, phase: 'connecting' }
  /** Where the next event will be another connection's: why. */
  let resuming: 'cut' | 'reloaded' | undefined = from.lastId === '' ? undefined : 'reloaded'

  const client = connect({ url: '/', fetch, onState: follow })
  const counting = setInterval(() => client.state.state === 'waiting' && follow(client.state), 1000)
  client.subscribe(
    `run:${run}`,
    ({ id = '', name, data }) => {
      if (resuming !== undefined) reading = resume(reading, resuming)
      resuming = undefined
      change(take(reading, { id, name, data }))
    },
    {
      after: from.lastId || 'earliest',
      onEnd: () => void end(),
      onError: (error) => change({ ...reading, phase: 'failed', error: error.message }),
      onGap: () => change({ ...reading, phase: 'failed', error: 'Some of the text is gone' }),
    },
  )

  function follow(state: ClientState): void {
    // Said in full by the subscription.
    if (state.state === 'ended') return
    const reads = state.state === 'live' || state.state === 'polling'
    // A connection before the first event had nothing to lose.
    if (!reads && reading.phase === 'streaming') resuming = 'cut'
    const phase = reads ? 'streaming' : 'connecting'
    change({ ...reading, phase, waiting: reads ? undefined : wordsOf(state).text })
  }

  /** Events have said how it ended, or its record does. */
  async function end(): Promise<void> {
    if (isOver(reading)) return
    const record = await stateOf(run).catch((error: Error) => ({
      state: 'error' as const,
      error: { message: error.message },
    }))
    change(conclude(reading, record))
  }

  function change(next: Reading): void {
    if (isOver(reading)) return
    reading = next
    if (isOver(next)) close()
    onChange(next)
  }

  function close(): void {
    clearInterval(counting)
    client.close()
  }

  onChange(reading)
  return {
    get reading() {
      return reading
    },
    close() {
      reading = { ...reading, phase: 'stopped' }
      close()
    },
  }
}
