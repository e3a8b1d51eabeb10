/** An attacker's connection: raw bytes out, and whatever comes back is judged. */
import { EventEmitter, once } from 'node:events'
import { createConnection } from 'node:net'
import { type Answer, createAnswerReader, Malformed, type ReaderOptions } from './answers.js'
import { createStreamCheck, type Forbidden, wrongWith } from './judge.js'

/** How a connection ended: by the gateway, by a reset of the gateway, by us. */
export type End = 'closed' | 'reset' | 'ours'

export interface Line {
  readonly answers: readonly Answer[]
  /** Where it comes from, `address:port`. */
  readonly name: string
  /** Undefined while it is open. */
  readonly over: End | undefined
  /** Request lines sent so far. */
  readonly requests: number
  /** Bytes sent so far, for whoever has to understand what went wrong. Not all of large ones. */
  readonly sent: Buffer
  /** Nothing more is sent after the end of the connection. */
  send(bytes: Buffer): void
  /** Ends our direction: FIN. */
  fin(): void
  /** Throws the connection away: RST. */
  reset(): void
  hangUp(): void
  /** Stops reading, so that what the gateway writes piles up. */
  pause(): void
  /** Resolves as soon as it holds, the connection is over, or `ms` have passed; whether it holds. */
  until(holds: () => boolean, ms: number): Promise<boolean>
}

export interface LineOptions {
  readonly port: number
  /** Where it comes from: any of 127.0.0.0/8. */
  readonly from: string
  readonly headOnly?: ReaderOptions['headOnly']
  readonly forbidden?: Forbidden
  /** Told once, of the first thing wrong with what came. */
  readonly onFault: (kind: 'malformed' | 'answer', what: string, line: Line) => void
  readonly onAnswer: (answer: Answer) => void
  readonly onOver: (end: End, line: Line) => void
}

/** How a request line ends: whoever sends it in pieces isn't counted. */
const LINE_END = ' HTTP/1.1\r\n'
/** Bytes sent that are remembered. */
const REMEMBERED = 64 * 1024

export async function openLine(options: LineOptions): Promise<Line> {
  const { port, from, headOnly = 'never', forbidden } = options
  const told = new EventEmitter()
  let name = ''
  let over: End | undefined
  let fault = false
  let judged = 0
  let requests = 0
  const sent: Buffer[] = []
  let sentBytes = 0
  // Half-open, so that our FIN comes when we mean it.
  const socket = createConnection({
    port,
    host: '127.0.0.1',
    localAddress: from,
    allowHalfOpen: true,
  })
  const reader = createAnswerReader({ headOnly, onStream: createStreamCheck() })

  function guarded(work: () => void): void {
    if (fault) return
    try {
      work()
      for (; judged < reader.answers.length; judged++) {
        const answer = reader.answers[judged]!
        options.onAnswer(answer)
        const wrong = wrongWith(answer, forbidden)
        if (wrong !== undefined) complain('answer', wrong)
      }
    } catch (error) {
      complain('malformed', error instanceof Malformed ? error.message : String(error))
    }
  }
  function complain(kind: 'malformed' | 'answer', what: string): void {
    fault = true
    options.onFault(kind, what, line)
  }
  function finish(end: End): void {
    if (over !== undefined) return
    over = end
    // A reset may have overtaken bytes that were sent before it: nothing can be said of what is missing.
    if (end === 'closed') guarded(reader.end)
    options.onOver(end, line)
    told.emit('told')
  }

  const line: Line = {
    answers: reader.answers,
    get name() {
      return name
    },
    get over() {
      return over
    },
    get requests() {
      return requests
    },
    get sent() {
      return Buffer.concat(sent)
    },
    send(bytes) {
      if (over !== undefined || socket.writableEnded) return
      if (sentBytes < REMEMBERED) sent.push(bytes.subarray(0, REMEMBERED))
      sentBytes += bytes.length
      for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1))
        requests++
      socket.write(bytes)
    },
    fin: () => void socket.end(),
    reset() {
      finish('ours')
      socket.resetAndDestroy()
    },
    hangUp() {
      finish('ours')
      socket.destroy()
    },
    pause: () => void socket.pause(),
    async until(holds, ms) {
      const late = AbortSignal.timeout(ms)
      while (!holds() && over === undefined && !late.aborted) {
        await once(told, 'told', { signal: late }).catch(() => {})
      }
      return holds()
    },
  }

  socket.setNoDelay(true)
  socket.on('data', (chunk) => {
    guarded(() => reader.feed(chunk))
    told.emit('told')
  })
  socket.on('end', () => {
    finish('closed')
    socket.destroy()
  })
  socket.on('error', () => finish('reset'))
  socket.on('close', () => finish('reset'))
  await new Promise<void>((resolve) => {
    socket.once('connect', () => {
      // Gone with the socket's handle.
      name = `${socket.localAddress}:${socket.localPort}`
      resolve()
    })
    socket.once('close', () => resolve())
  })
  return line
}
