/** Sinks: where a stream's chunk-framed bytes leave by HTTP. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { unchunk } from '../hub/chunk.js'
import type { Sink, SinkOwner } from '../hub/sink.js'

/**
 * Sends the head and answers the sink for the body. HTTP/1.1 takes the framed bytes as they are,
 * straight to the socket: `res.write` would frame every one again for every reader (1.6 times the
 * time). Everything else (HTTP/1.0, HTTP/2, a pipelined answer whose turn hasn't come) goes through
 * the response object without the framing.
 */
export function openSink(
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, number | string | string[] | undefined>,
): Sink {
  const socket = response.socket
  const ready = request.httpVersion === '1.1' && socket !== null && !socket.destroyed
  // All at once: headers that are set one by one stay with the response as objects, about 1 KB for as
  // long as the stream lives.
  response.writeHead(200, headers as OutgoingHttpHeaders)
  return ready ? new SocketSink(response, socket) : new ResponseSink(request, response)
}

class SocketSink implements Sink {
  owner: SinkOwner | undefined
  readonly #response: ServerResponse
  readonly #socket: Socket
  readonly #onDrain = () => this.owner?.drained()

  constructor(response: ServerResponse, socket: Socket) {
    this.#response = response
    this.#socket = socket
    socket.on('drain', this.#onDrain)
    response.on('close', () => {
      // The socket may go on to another request.
      socket.removeListener('drain', this.#onDrain)
      this.owner?.close()
    })
  }

  write(chunks: Buffer): boolean {
    // The kernel has taken everything where nothing is left in the queue, whatever write() says of its
    // mark: a large write that went through at once is no reason to stop.
    return this.#socket.write(chunks) || this.#socket.writableLength === 0
  }

  cork(): void {
    this.#socket.cork()
    this.#response.flushHeaders()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  get buffered(): number {
    return this.#socket.writableLength
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

class ResponseSink implements Sink {
  owner: SinkOwner | undefined
  readonly #response: ServerResponse

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#response = response
    response.on('drain', () => this.owner?.drained())
    response.on('close', () => this.owner?.close())
    // A pipelined answer whose turn never comes has no socket of its own to hear of.
    request.socket.once('close', () => this.owner?.close())
  }

  write(chunks: Buffer): boolean {
    let more = true
    for (const payload of unchunk(chunks)) more = this.#response.write(payload)
    return more
  }

  cork(): void {
    // HTTP/2's response has neither of the two.
    this.#response.cork?.()
    this.#response.flushHeaders()
  }

  uncork(): void {
    this.#response.uncork?.()
  }

  get buffered(): number {
    return this.#response.writableLength ?? 0
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }
}
