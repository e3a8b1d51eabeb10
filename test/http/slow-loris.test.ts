/** Connections that give next to nothing, by the thousand: the gateway gets rid of them, and who reads beside them never notices. */
import { createConnection, type Socket } from 'node:net'
import t from 'tap'
import { check } from '../support/checker.js'
import { startGatewayProcess } from '../support/gateway.js'
import { createPublisher } from '../support/publisher.js'
import { events, startReader } from '../support/sse-reader.js'

t.setTimeout(120_000)

const ATTACKERS = 2_000
const STREAMS = 100
/** ms between two bytes of an attacker's. */
const DRIP_MS = 1_000
/**
 * Seconds that an attacker may stay: 8 are given to a head and to a body, 3 more to what is left of one.
 * Counted in the bytes that it could give: where the machine is short of time, all are slower alike.
 */
const GONE_S = 15

const POST = 'POST /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\n'
const JSON_BODY = `${POST}Content-Type: application/json\r\n`
const ENDLESS = 'x'.repeat(60)

interface Kind {
  readonly name: string
  /** Sent at once. */
  readonly start: string
  /** Sent byte by byte. */
  readonly drip: string
}

/** Before an answer. */
const WAITED_FOR: readonly Kind[] = [
  { name: 'nothing at all', start: '', drip: '' },
  { name: 'empty lines', start: '', drip: '\r\n'.repeat(30) },
  {
    name: 'a request line',
    start: '',
    drip: 'GET /v1/events?channel=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  },
  { name: 'a header', start: `${POST}X: `, drip: ENDLESS },
  {
    name: 'a second head',
    start: 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /',
    drip: ENDLESS,
  },
  {
    name: 'a body with a length',
    start: `${JSON_BODY}Content-Length: 100\r\n\r\n"`,
    drip: ENDLESS,
  },
  { name: 'a body that stops', start: `${JSON_BODY}Content-Length: 100\r\n\r\n"`, drip: '' },
  {
    name: 'a chunked body',
    start: `${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n100\r\n"`,
    drip: ENDLESS,
  },
  {
    name: 'trailers',
    start: `${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\nX: `,
    drip: ENDLESS,
  },
]

/** After it: the rest of a body that nobody waits for. */
const ANSWERED: readonly Kind[] = [
  {
    name: 'the body of a refused request',
    start: `${POST}Content-Length: 100\r\n\r\n`,
    drip: ENDLESS,
  },
  {
    name: 'the body of a GET',
    start:
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n',
    drip: ENDLESS,
  },
  {
    name: 'the body of a preflight',
    start:
      'OPTIONS /v1/events HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n' +
      'Access-Control-Request-Method: POST\r\nContent-Length: 100\r\n\r\n',
    drip: ENDLESS,
  },
  {
    name: 'a streamed body where none is taken',
    start:
      'DELETE /v1/channels?channel=b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n' +
      'Content-Length: 100\r\n\r\n',
    drip: ENDLESS,
  },
]

interface Attacker {
  readonly kind: Kind
  readonly socket: Socket
  /** Resolves when the gateway has closed it, with the seconds since its opening. */
  readonly gone: Promise<number>
}

function attack(port: number, kind: Kind, from: string, second: () => number): Attacker {
  const socket = createConnection({ port, host: '127.0.0.1', localAddress: from })
  // A reset is a way to be closed.
  socket.on('error', () => {})
  socket.resume()
  const gone = new Promise<number>((resolve) => {
    socket.once('connect', () => {
      const opened = second()
      socket.write(kind.start)
      socket.once('close', () => resolve(second() - opened))
    })
  })
  return { kind, socket, gone }
}

t.test(
  `${ATTACKERS} slow senders are gone within 15 s, and ${STREAMS} streams miss nothing`,
  { timeout: 110_000 },
  async (t) => {
    const gateway = await startGatewayProcess()
    t.teardown(gateway.stop)
    const channels = ['calm:0', 'calm:1', 'calm:2']
    const readers = Array.from({ length: STREAMS }, () =>
      startReader({ url: gateway.url, channels }),
    )
    t.teardown(() => Promise.all(readers.map((reader) => reader.stop())))
    await Promise.all(readers.map((reader) => reader.control('stream.live')))

    const kinds = [...WAITED_FOR, ...ANSWERED]
    let second = 0
    const attackers = Array.from({ length: ATTACKERS }, (_, i) => {
      const kind = kinds[i % kinds.length]!
      return attack(gateway.port, kind, `127.0.2.${1 + (i % 50)}`, () => second)
    })
    t.teardown(() => attackers.forEach(({ socket }) => void socket.destroy()))
    const publisher = createPublisher()
    let published = Promise.resolve<unknown>(undefined)
    let clock: NodeJS.Timeout | undefined
    t.teardown(() => clearInterval(clock))
    const over = new Promise<number>((resolve) => {
      // A byte of everybody's, and events that must not suffer from it.
      clock = setInterval(() => {
        for (const { kind, socket } of attackers) {
          const byte = kind.drip[second]
          if (byte !== undefined && socket.writable) socket.write(byte)
        }
        const data = `event ${second++}`
        for (const channel of channels) {
          published = published.then(() => publisher.one(gateway.url, channel, data))
        }
        if (second === 2 * GONE_S) resolve(Number.POSITIVE_INFINITY)
      }, DRIP_MS)
    })

    const stayed = await Promise.all(attackers.map(({ gone }) => Promise.race([gone, over])))
    clearInterval(clock)
    for (const kind of kinds) {
      const all = stayed.filter((_, i) => attackers[i]!.kind === kind)
      const longest = Math.max(...all)
      t.ok(longest <= GONE_S, `${all.length} that sent ${kind.name}: gone after ${longest} s`)
    }

    await published
    const count = publisher.acknowledged.length
    t.ok(count >= 3 * channels.length, `${count} events published meanwhile`)
    await Promise.all(
      readers.map((reader) => reader.until(({ seen }) => events(seen).length >= count)),
    )
    const records = readers.map(({ seen }, i) => ({ name: `stream ${i}`, channels, seen }))
    t.same(check({ acknowledged: publisher.acknowledged, readers: records }), [])
    t.ok(
      readers.every(({ connections }) => connections === 1),
      'no stream was cut',
    )
  },
)
