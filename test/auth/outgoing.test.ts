import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type LookupFunction } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  createOutgoing,
  type OutgoingFault,
  type OutgoingOptions,
} from '../../src/auth/outgoing.js'
import { isForbiddenAddress } from '../../src/auth/targets.js'
import { certificate } from '../support/certificate.js'
import { startBackend } from './support/backend.js'

function open(t: Test, options?: OutgoingOptions) {
  const outgoing = createOutgoing(options)
  t.teardown(() => outgoing.close())
  return outgoing
}

const fault = (name: OutgoingFault) => ({ name: 'OutgoingError', fault: name })

/** Answers each question for an address with the next of these, and counts. */
function naming(...answers: (string | readonly string[])[]) {
  const asked: string[] = []
  const lookup: LookupFunction = (hostname, { all }, callback) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? []
    asked.push(hostname)
    const list = [answer].flat().map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }))
    if (all) callback(null, list)
    else callback(null, list[0]?.address ?? '', list[0]?.family)
  }
  return { lookup, asked }
}

t.test('a question arrives as it was asked, and the answer as it was given', async (t) => {
  const backend = await startBackend(t)
  backend.answer = () => ({ status: 418, headers: { 'x-kind': 'tea' }, body: 'só' })
  const { ask } = open(t)
  const headers = { authorization: 'Bearer k', 'content-type': 'text/plain' }
  const answer = await ask(`${backend.url}a/b?c=d`, { method: 'DELETE', headers, body: 'ö' })
  t.match(answer, { status: 418, headers: { 'x-kind': 'tea' } })
  t.equal(answer.body.toString(), 'só')
  t.match(backend.asked, [
    {
      method: 'DELETE',
      path: '/a/b?c=d',
      headers: { ...headers, 'content-length': '2' },
      body: 'ö',
    },
  ])
})

t.test('a redirect is an answer, and nobody follows it', async (t) => {
  const [backend, other] = [await startBackend(t), await startBackend(t)]
  const { ask } = open(t)
  for (const status of [301, 302, 303, 307, 308]) {
    backend.answer = () => ({ status, headers: { location: other.url } })
    t.equal((await ask(backend.url)).status, status)
  }
  t.equal(other.connections, 0)
})

t.test(
  '31: a target that is link-local or a metadata service is refused, however it is written',
  async (t) => {
    const { ask } = open(t)
    const hosts = [
      ...['169.254.169.254', '169.254.0.1', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376'],
      ...[
        '169.254.169.254.',
        '[::ffff:169.254.169.254]',
        '[::ffff:a9fe:a9fe]',
        '[::169.254.169.254]',
      ],
      ...[
        '[64:ff9b::a9fe:a9fe]',
        '[2002:a9fe:a9fe::1]',
        '[fe80::1]',
        '[febf::1]',
        '[fd00:ec2::254]',
      ],
      ...[
        '[fd20:ce::254]',
        '100.100.100.200',
        '0.0.0.0',
        '0',
        '0.1.2.3',
        '[::]',
        '[::ffff:0.0.0.0]',
      ],
    ]
    for (const host of hosts) {
      for (const scheme of ['http', 'https']) {
        await t.rejects(ask(`${scheme}://${host}:1/latest/meta-data/`), fault('target'), host)
      }
    }
  },
)

t.test('addresses beside those are allowed: a backend lives in a private network', async (t) => {
  const addresses = [
    ...['127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.0.1', '169.253.255.255', '169.255.0.0'],
    ...['1.0.0.0', '100.100.100.201', '203.0.113.7', '::1', '::2', 'fd00:ec2::253', 'fec0::1'],
    ...['fe7f::1', '::ffff:127.0.0.1', '2001:db8::1', '64:ff9b::a9fd:1', 'not an address'],
  ]
  for (const address of addresses) t.notOk(isForbiddenAddress(address), address)
  t.ok(isForbiddenAddress('fe80::1%eth0'), 'with a zone, as DNS may answer it')
})

t.test(
  '31: a name that leads there is refused, also where one address of several does',
  async (t) => {
    const backend = await startBackend(t)
    const answers = [
      ['169.254.169.254'],
      ['127.0.0.1', '169.254.169.254'],
      ['::ffff:a9fe:a9fe'],
      ['fe80::1'],
      ['0.0.0.0'],
    ]
    for (const answer of answers) {
      const { ask } = open(t, naming(answer))
      await t.rejects(ask(`http://backend.example:${backend.port}/`), fault('target'), `${answer}`)
    }
    t.equal(backend.connections, 0)
  },
)

t.test(
  '31: a name is asked for once for each connection: DNS that answers otherwise the next time gains nothing',
  async (t) => {
    const backend = await startBackend(t)
    backend.answer = () => ({ headers: { connection: 'close' } })
    const names = naming('127.0.0.1', '169.254.169.254')
    const { ask } = open(t, names)
    const url = `http://backend.example:${backend.port}/`
    t.equal((await ask(url)).status, 200)
    t.same(names.asked, ['backend.example'], 'the address that was judged was connected to')
    t.equal(backend.asked[0]?.headers.host, `backend.example:${backend.port}`)
    await t.rejects(ask(url), fault('target'))
    t.equal(backend.connections, 1)
  },
)

t.test('a name that leads nowhere is a failure', async (t) => {
  const nowhere: LookupFunction = (_hostname, _options, callback) =>
    callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), [])
  await t.rejects(open(t, { lookup: nowhere }).ask('http://backend.example/'), fault('failed'))
  await t.rejects(open(t, naming([])).ask('http://backend.example/'), fault('failed'))
})

t.test('what is no URL of HTTP is refused', async (t) => {
  const { ask } = open(t)
  for (const url of ['', 'x', '/v1', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'data:,x']) {
    await t.rejects(ask(url), fault('target'), url)
  }
})

t.test('a header that can’t be sent is a failure, and is not repeated', async (t) => {
  const headers = { authorization: 'Bearer a\r\nb: s3cret' }
  const error = await open(t)
    .ask('http://127.0.0.1:1/', { headers })
    .catch((it) => it)
  t.match(error, fault('failed'))
  t.notMatch(error.message, 's3cret')
})

t.test('an answer may be as long as allowed, and not a byte longer', async (t) => {
  const backend = await startBackend(t)
  const { ask } = open(t)
  const length = async (size: number, headers: Record<string, string>) => {
    backend.answer = () => ({ headers, body: 'x'.repeat(size) })
    return (await ask(backend.url, { maxBytes: 1000 })).body.length
  }
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
    t.equal(await length(999, headers), 999)
    t.equal(await length(1000, headers), 1000)
    await t.rejects(length(1001, headers), fault('too_large'))
  }
})

t.test('whoever doesn’t answer in time has not answered, wherever it stops', async (t) => {
  const { ask } = open(t)
  const silent = naming('127.0.0.1')
  const words = ['', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx']
  for (const said of words) {
    const server = createServer((socket) => socket.on('error', () => {}).write(said))
    const port = await listening(t, server)
    await t.rejects(ask(`http://127.0.0.1:${port}/`, { timeoutMs: 30 }), fault('late'), said)
  }
  const never = open(t, { lookup: () => silent.asked.push('never') })
  await t.rejects(never.ask('http://backend.example/', { timeoutMs: 30 }), fault('late'))
})

t.test('an answer that breaks off is none, nor is one that isn’t HTTP', async (t) => {
  const { ask } = open(t)
  const words = [
    '',
    'garbage\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
  ]
  for (const said of words) {
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(said))
    })
    const port = await listening(t, server)
    await t.rejects(ask(`http://127.0.0.1:${port}/`), fault('failed'), said.slice(0, 60))
  }
})

t.test('nobody listens: a failure', async (t) => {
  const backend = await startBackend(t)
  await backend.stop()
  await t.rejects(open(t).ask(backend.url), fault('failed'))
})

t.test('a connection is kept for the next question', async (t) => {
  const backend = await startBackend(t)
  const { ask } = open(t)
  for (let i = 0; i < 5; i++) await ask(backend.url, { method: 'POST', body: `${i}` })
  t.equal(backend.connections, 1)
})

t.test(
  'a kept connection that the other side has closed is no failure for what may be repeated',
  async (t) => {
    /** Answers the first question of a connection, and resets it at the second. */
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
        socket.once('data', () => socket.resetAndDestroy())
      })
    })
    const url = `http://127.0.0.1:${await listening(t, server)}/`
    const { ask } = open(t)
    const post = { method: 'POST', body: 'x' }
    await ask(url, post)
    await t.rejects(ask(url, post), fault('failed'), 'it may have been done')
    await ask(url, post)
    t.equal((await ask(url, { ...post, repeatable: true })).status, 200)
    await ask(url, post)
    t.equal((await ask(url)).status, 200, 'a GET is repeatable')
  },
)

t.test('what was given up on a kept connection is not asked again', async (t) => {
  const backend = await startBackend(t)
  const { ask } = open(t)
  await ask(backend.url)
  backend.answer = () => new Promise(() => {})
  await t.rejects(ask(backend.url, { timeoutMs: 30 }), fault('late'))
  const giveUp = new AbortController()
  backend.answer = () => ({})
  await ask(backend.url)
  backend.answer = () => new Promise(() => {})
  const asked = backend.next()
  const question = ask(backend.url, { signal: giveUp.signal })
  await asked
  giveUp.abort()
  await t.rejects(question, fault('aborted'))
  backend.answer = () => ({})
  await ask(backend.url)
  t.equal(backend.asked.length, 5)
})

t.test('a question can be given up', async (t) => {
  const backend = await startBackend(t)
  backend.answer = () => new Promise(() => {})
  const outgoing = open(t)
  const giveUp = new AbortController()
  const first = outgoing.ask(backend.url, { signal: giveUp.signal })
  await backend.next()
  const second = outgoing.ask(backend.url)
  await backend.next()
  giveUp.abort()
  await t.rejects(first, fault('aborted'))
  const before = outgoing.ask(backend.url, { signal: giveUp.signal })
  await t.rejects(before, fault('aborted'), 'before it is asked')
  outgoing.close()
  await t.rejects(second, fault('aborted'), 'all at once')
  await t.rejects(outgoing.ask(backend.url), fault('aborted'), 'nothing is asked afterwards')
})

t.test('over TLS only whoever is trusted is asked', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-outgoing-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const { key, pem } = await certificate(directory)
  const backend = await startBackend(t, { cert: pem, key: await readFile(key, 'utf8') })
  await t.rejects(open(t).ask(backend.url), fault('failed'))
  t.equal(backend.asked.length, 0)
  const trusting = open(t, { ca: pem, lookup: naming('127.0.0.1').lookup })
  t.equal((await trusting.ask(backend.url)).status, 200)
  t.equal((await trusting.ask(`https://localhost:${backend.port}/`)).status, 200)
  await t.rejects(trusting.ask(`https://other.example:${backend.port}/`), fault('failed'))
})

async function listening(t: Test, server: ReturnType<typeof createServer>): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
