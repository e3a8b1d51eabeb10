/** Sinks: where a stream's chunk-framed bytes leave by HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { unchunk } from '../hub/chunk.js'
import type { Sink } from '../hub/sink.js'

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
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) response.setHeader(name, value)
  }
  response.writeHead(200)
  return ready ? socketSink(response, socket) : responseSink(response)
}

function socketSink(response: ServerResponse, socket: NonNullable<ServerResponse['socket']>): Sink {
  const onDrain = () => sink.onDrain()
  const sink: Sink = {
    write(chunks) {
      // The kernel has taken everything where nothing is left in the queue, whatever write() says of
      // its mark: a large write that went through at once is no reason to stop.
      return socket.write(chunks) || socket.writableLength === 0
    },
    cork() {
      socket.cork()
      response.flushHeaders()
    },
    uncork: () => socket.uncork(),
    end: () => response.end(),
    destroy: () => socket.destroy(),
    onDrain: () => {},
    onClose: () => {},
  }
  socket.on('drain', onDrain)
  response.once('close', () => {
    // The socket may go on to another request.
    socket.removeListener('drain', onDrain)
    sink.onClose()
  })
  return sink
}

function responseSink(response: ServerResponse): Sink {
  const sink: Sink = {
    write(chunks) {
      let more = true
      for (const payload of unchunk(chunks)) more = response.write(payload)
      return more
    },
    cork() {
      response.cork?.()
      response.flushHeaders()
    },
    uncork: () => response.uncork?.(),
    end: () => response.end(),
    destroy: () => response.destroy(),
    onDrain: () => {},
    onClose: () => {},
  }
  response.on('drain', () => sink.onDrain())
  response.once('close', () => sink.onClose())
  return sink
}
