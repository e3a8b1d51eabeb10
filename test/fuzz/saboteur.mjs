/**
 * A harness that finds nothing may be blind. Loaded into the gateway before itself (`--import`), this
 * breaks what SABOTAGE names, and the run must say so.
 */
import { openSync } from 'node:fs'
import { Server } from 'node:http'
import { Socket } from 'node:net'

const faults = new Set((process.env.SABOTAGE ?? '').split(','))
/** Where attackers come from: the well-behaved suffer from `lost-event` alone. */
const ATTACKERS = '127.0.1.'
/** Of their requests, so that each fault comes soon, and the others get their turn. */
const EVERY = 40
const kept = []
let requests = 0

const answers = {
  'error-500'(response) {
    response.writeHead(500, { 'content-type': 'application/problem+json' })
    response.end('{"status":500,"code":"internal"}')
  },
  'plain-404'(response) {
    response.writeHead(404, { 'content-type': 'text/plain' })
    response.end('nothing here')
  },
  'bad-framing'(response) {
    response.socket?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}surplus')
  },
  'no-answer'() {},
}
const due = Object.entries(answers).filter(([name]) => faults.has(name))
// Only whoever has asked rightly waits for long enough to miss it: more often, so that it happens.
if (faults.has('no-answer')) due.push(...Array(3).fill(['', answers['no-answer']]))

const { emit } = Server.prototype
Server.prototype.emit = function (event, ...args) {
  const [request, response] = args
  if (event !== 'request' || !request.socket.remoteAddress?.startsWith(ATTACKERS)) {
    return emit.call(this, event, ...args)
  }
  const turn = requests++ % EVERY
  if (faults.has('crash') && requests === 3 * EVERY) {
    setImmediate(() => {
      throw new Error('sabotage')
    })
  }
  if (faults.has('error-line') && turn === 5) console.error('sabotage: a line on stderr')
  if (faults.has('lost-descriptors') && turn === 10) kept.push(openSync('/dev/null'))
  if (faults.has('lost-memory')) kept.push(Buffer.alloc(128 * 1024, 1))
  const [, answer] = due[turn - 20] ?? []
  if (answer === undefined) return emit.call(this, event, ...args)
  answer(response)
  return true
}

const { write } = Socket.prototype
let calm = 0
Socket.prototype.write = function (...args) {
  const [chunk] = args
  const isEvent = Buffer.isBuffer(chunk) && chunk.includes('"channel":"calm:0"')
  if (isEvent && faults.has('lost-event') && ++calm === EVERY) return true
  return write.apply(this, args)
}
