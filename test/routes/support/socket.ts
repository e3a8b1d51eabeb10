/** HTTP by hand: for what an HTTP library wouldn't send, or would hide. */
import { EventEmitter, once } from 'node:events'
import { createConnection } from 'node:net'

export interface Wire {
  readonly text: string
  readonly closed: boolean
  write(text: string | Buffer): void
  /** Resolves with all that came, once it matches; rejects where the connection closes before. */
  until(pattern: RegExp): Promise<string>
  /** Resolves when more has come; rejects where the connection is closed. */
  next(): Promise<void>
  /** Resolves with all that came, once the other side has closed. */
  rest(): Promise<string>
  /** Stops reading, so that the other side's writes pile up. */
  pause(): void
  resume(): void
  end(): void
  destroy(): void
}

export async function connect(url: string): Promise<Wire> {
  const { hostname, port } = new URL(url)
  const socket = createConnection(Number(port), hostname)
  const told = new EventEmitter()
  told.setMaxListeners(0)
  let text = ''
  let closed = false
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
    told.emit('told')
  })
  // A reset is a way to close.
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    told.emit('told')
  })
  await once(socket, 'connect')
  return {
    get text() {
      return text
    },
    get closed() {
      return closed
    },
    write: (part) => void socket.write(part),
    async until(pattern) {
      while (!pattern.test(text)) {
        if (closed) throw new Error(`closed after ${JSON.stringify(text)}`)
        await once(told, 'told')
      }
      return text
    },
    async next() {
      if (closed) throw new Error(`closed after ${JSON.stringify(text.slice(-1000))}`)
      await once(told, 'told')
    },
    async rest() {
      while (!closed) await once(told, 'told')
      return text
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}

/** Sends one text on a connection of its own and answers all that comes until it is closed. */
export async function say(url: string, text: string): Promise<string> {
  const wire = await connect(url)
  wire.write(text)
  return wire.rest()
}
