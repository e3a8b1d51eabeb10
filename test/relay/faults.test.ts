/** Upstreams that behave badly: each has an end of its own, and none of them is ever named. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { LookupFunction } from 'node:net'
import t from 'tap'
import { eventsOf } from '../../src/relay/events.js'
import { isForOperator } from '../../src/relay/headers.js'
import type { RunEvent } from '../../src/runs/format.js'
import {
  deferred,
  failing,
  startClient,
  startUpstream,
  textOf,
  upstreamAt,
} from './support/upstream.js'

const SSE = { 'content-type': 'text/event-stream' }
const LIMIT = { maxEventBytes: 1024 * 1024 }

function naming(...addresses: string[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    const list = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    if (all) callback(null, list)
    else callback(null, list[0]?.address ?? '', list[0]?.family)
  }
}

/** Reads events into a list until the end, or until it fails. */
async function into(list: RunEvent[], body: AsyncIterable<Buffer>): Promise<void> {
  for await (const events of eventsOf(body, LIMIT)) list.push(...events)
}

t.test('401, 429 and 500 are answers like any other', async (t) => {
  let status = 0
  const { port } = await startUpstream(t, (_request, response) => {
    response.writeHead(status, { 'retry-after': '7', 'content-type': 'application/json' })
    response.end(`{"error":${status}}`)
  })
  const { ask } = startClient(t)
  for (status of [401, 429, 500]) {
    const answer = await ask(upstreamAt(port))
    t.match(answer, { status, headers: { 'retry-after': '7' } })
    t.equal(await textOf(answer.body), `{"error":${status}}`)
  }
})

t.test('a redirect is an answer for the operator, and nobody follows it', async (t) => {
  const other = await startUpstream(t, (_request, response) => response.end())
  const places = ['http://169.254.169.254/latest/meta-data/', `http://127.0.0.1:${other.port}/`]
  for (const location of places) {
    const { port } = await startUpstream(t, (_request, response) => {
      response.writeHead(307, { location }).end()
    })
    const answer = await startClient(t).ask(upstreamAt(port))
    t.equal(answer.status, 307)
    t.ok(isForOperator(answer.status))
    t.equal(await textOf(answer.body), '')
  }
  t.equal(other.connections, 0)
})

t.test('nobody listens, or nobody knows the name: unreachable, and nothing was sent', async (t) => {
  const upstream = await startUpstream(t, () => {})
  await upstream.stop()
  await failing(t, startClient(t).ask(upstreamAt(upstream.port)), 'unreachable')
  const lookup: LookupFunction = (_hostname, _options, callback) =>
    callback(Object.assign(new Error('getaddrinfo ENOTFOUND a.example'), { code: 'ENOTFOUND' }), [])
  const named = upstreamAt(1, { url: new URL('http://a.example') })
  await failing(t, startClient(t, { lookup }).ask(named), 'unreachable')
  await failing(t, startClient(t, { lookup: naming() }).ask(named), 'unreachable')
})

t.test('a name or an address that leads to a metadata service is blocked', async (t) => {
  const upstream = await startUpstream(t, (_request, response) => response.end())
  const url = new URL(`http://a.example:${upstream.port}`)
  const answers = [['169.254.169.254'], ['127.0.0.1', '169.254.169.254'], ['fd00:ec2::254']]
  for (const answer of answers) {
    const { ask } = startClient(t, { lookup: naming(...answer) })
    await failing(t, ask(upstreamAt(1, { url })), 'blocked', `${answer}`)
  }
  for (const host of ['169.254.169.254', '[::ffff:a9fe:a9fe]', '0.0.0.0']) {
    const { ask } = startClient(t)
    await failing(t, ask(upstreamAt(1, { url: new URL(`http://${host}`) })), 'blocked', host)
  }
  t.equal(upstream.connections, 0)
  const { ask } = startClient(t, { lookup: naming('127.0.0.1') })
  t.equal((await ask(upstreamAt(1, { url }))).status, 200, 'another name is not')
})

t.test('an upstream that hangs before its head is given up, and notices', async (t) => {
  const asked = deferred<IncomingMessage>()
  const { port } = await startUpstream(t, (request) => asked.resolve(request))
  const { ask, clock } = startClient(t)
  const answer = ask(upstreamAt(port, { headTimeoutMs: 60_000 }))
  const gone = once((await asked.promise).socket, 'close')
  clock.advance(59_999)
  const failed = failing(t, answer, 'head_timeout')
  t.same(clock.due(), [1])
  clock.advance(1)
  await failed
  await gone
  t.same(clock.due(), [], 'no timer is left')
})

t.test('a name that is never resolved counts as well', async (t) => {
  const { ask, clock } = startClient(t, { lookup: () => {} })
  const failed = failing(
    t,
    ask(upstreamAt(1, { url: new URL('http://a.example') })),
    'head_timeout',
  )
  clock.advance(60_000)
  await failed
})

t.test('an upstream that hangs in the middle is given up after its last word', async (t) => {
  const answering = deferred<ServerResponse>()
  const { port } = await startUpstream(t, (_request, response) => {
    response.writeHead(200, SSE).write('data: a\n\ndata: b')
    answering.resolve(response)
  })
  const { ask, clock } = startClient(t)
  const { body } = await ask(upstreamAt(port, { idleTimeoutMs: 120_000 }))
  const parts = body[Symbol.asyncIterator]()
  await parts.next()
  const response = await answering.promise
  const gone = once(response, 'close')

  const next = parts.next()
  clock.advance(119_999)
  response.write('\n')
  await next
  const never = parts.next()
  t.same(clock.due(), [120_000], 'each word begins it anew')
  const failed = failing(t, never, 'idle_timeout')
  clock.advance(120_000)
  await failed
  await gone
  t.same(clock.due(), [])
})

t.test(
  '10 MB without a line end are given up at the limit, and the upstream stopped',
  async (t) => {
    const MB = 1024 * 1024
    let sent = 0
    const gone = deferred()
    const { port } = await startUpstream(t, async (_request, response) => {
      response.on('close', () => gone.resolve())
      response.writeHead(200, SSE).write('data: first\n\ndata: ')
      const part = 'x'.repeat(64 * 1024)
      while (sent < 10 * MB && !response.destroyed) {
        sent += part.length
        if (!response.write(part)) await Promise.race([once(response, 'drain'), gone.promise])
      }
    })
    const { body } = await startClient(t).ask(upstreamAt(port))
    const events: RunEvent[] = []
    let taken = 0
    async function* counted() {
      for await (const part of body) {
        taken += part.length
        yield part
      }
    }
    await failing(t, into(events, counted()), 'event_too_large')
    await gone.promise
    t.same(events, [{ name: 'message', data: 'first' }])
    t.ok(taken < 1.2 * MB, `${taken} bytes were read`)
  },
)

t.test('invalid UTF-8 costs the characters it stands for', async (t) => {
  const { port } = await startUpstream(t, (_request, response) => {
    response.writeHead(200, SSE)
    response.end(Buffer.concat([Buffer.from('data: a'), Buffer.of(0xc3), Buffer.from('z\n\n')]))
  })
  const events: RunEvent[] = []
  await into(events, (await startClient(t).ask(upstreamAt(port))).body)
  t.same(events, [{ name: 'message', data: 'a\ufffdz' }])
})

t.test('an upstream that closes in the middle of an event has broken off', async (t) => {
  for (const cleanly of [true, false]) {
    const { port } = await startUpstream(t, (_request, response) => {
      response.writeHead(200, SSE)
      response.write('data: a\n\ndata: b', () => {
        if (cleanly) response.end()
        else response.destroy()
      })
    })
    const events: RunEvent[] = []
    const { body } = await startClient(t).ask(upstreamAt(port))
    await failing(t, into(events, body), 'broken')
    t.same(events, [{ name: 'message', data: 'a' }], 'what was whole is kept')
  }
})

t.test('what came before a break is still read by a reader that is behind', async (t) => {
  const left = deferred()
  const { port } = await startUpstream(t, (_request, response) => {
    response.writeHead(200, SSE)
    response.write('data: a\n\n')
    left.promise.then(() => response.write('data: b\n\n', () => response.destroy()))
  })
  const { ask } = startClient(t)
  const { body } = await ask(upstreamAt(port))
  const cuts = eventsOf(body, LIMIT)
  t.same((await cuts.next()).value, [{ name: 'message', data: 'a' }])
  left.resolve()
  // While this reader does something else: another request, which comes after the break.
  for (let i = 0; i < 3; i++) (await ask(upstreamAt(port))).abort()
  t.same((await cuts.next()).value, [{ name: 'message', data: 'b' }])
  await failing(t, cuts.next(), 'broken')
})

t.test('what is no HTTP has broken off, wherever it stops', async (t) => {
  const words = [
    '',
    'garbage\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
    'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab',
  ]
  for (const said of words) {
    const { port } = await startUpstream(t, ({ socket }) => socket.end(said))
    const { ask } = startClient(t)
    const read = async () => textOf((await ask(upstreamAt(port))).body)
    await failing(t, read(), 'broken', said.slice(0, 60))
  }
})

t.test('events that come compressed, unasked, are not kept', async (t) => {
  const { port } = await startUpstream(t, (_request, response) => {
    response.writeHead(200, { ...SSE, 'content-encoding': 'gzip' }).write('x')
  })
  await failing(t, startClient(t).ask(upstreamAt(port)), 'broken')
})

t.test('a header or a path that can’t be sent is a fault, and says nothing of it', async (t) => {
  const { ask } = startClient(t)
  const headers = { authorization: 'Bearer a\r\nb: secret' }
  await failing(t, ask(upstreamAt(1, { headers })), 'unreachable')
  await failing(t, ask(upstreamAt(1), { path: '/a b' }), 'unreachable')
})

t.test('an abort ends the upstream’s connection, at whatever stage', async (t) => {
  const asked: ((response: ServerResponse) => void)[] = []
  const { port } = await startUpstream(t, (_request, response) => asked.shift()?.(response))
  const next = () => new Promise<ServerResponse>((resolve) => asked.push(resolve))
  const { ask, client, clock } = startClient(t)
  const begun = async (signal?: AbortSignal) => {
    const arrived = next()
    const answer = ask(upstreamAt(port), signal && { signal })
    answer.catch(() => {})
    const response = await arrived
    return { answer, response, gone: once(response, 'close') }
  }

  const early = new AbortController()
  const before = await begun(early.signal)
  early.abort()
  await failing(t, before.answer, 'aborted', 'before the head')
  await before.gone
  await failing(t, ask(upstreamAt(port), { signal: early.signal }), 'aborted', 'before it is asked')

  for (const by of ['abort', 'signal', 'break', 'close'] as const) {
    const late = new AbortController()
    const { answer, response, gone } = await begun(late.signal)
    response.writeHead(200, SSE).write('data: a\n\n')
    const { body, abort } = await answer
    const parts = body[Symbol.asyncIterator]()
    await parts.next()
    if (by === 'break') await parts.return?.()
    else {
      const waiting = failing(t, parts.next(), 'aborted', by)
      if (by === 'abort') abort()
      else if (by === 'signal') late.abort()
      else client.close()
      await waiting
    }
    const began = performance.now()
    await gone
    t.ok(performance.now() - began < 1000, `${by}: within a second`)
  }
  t.same(clock.due(), [])
})

t.test(
  'an answer that nobody has begun to read can be given up, and says so afterwards',
  async (t) => {
    const gone = deferred()
    const { port } = await startUpstream(t, (_request, response) => {
      response.on('close', () => gone.resolve())
      response.writeHead(200, SSE).write('data: a\n\n')
    })
    const { body, abort } = await startClient(t).ask(upstreamAt(port))
    abort()
    abort()
    await gone.promise
    await failing(t, textOf(body), 'aborted')
  },
)
