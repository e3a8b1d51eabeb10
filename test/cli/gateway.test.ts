/** The commands and the client against the gateway itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { PassThrough, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type EventItem, publish, subscribe } from '../../src/client/index.js'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { collect } from '../client/speaker.js'
import { run } from './run.js'

async function gateway(t: Test) {
  const gateway = await startGateway(loadConfig({ flags: { port: '0', 'drain-time': '1s' } }))
  t.teardown(() => gateway.close())
  return gateway
}

async function close(url: string, channel: string) {
  await fetch(`${url}/v1/channels/close?channel=${channel}`, { method: 'POST' })
}

t.test('--words given back by --text is the text, to the byte', async (t) => {
  const { url } = await gateway(t)
  const text = '\ufeff  One  two,\r\n\tthree 🦆 vier\u00a0fünf \n\n'
  const bytes = Buffer.from(text)
  const stdin = Readable.from([bytes.subarray(0, 23), bytes.subarray(23)])
  const argv = ['publish', 'story', '--words', '--pace', '0', '--url', url]
  t.match(await run(argv, { stdin }), { code: 0, stdout: /^\d+-\d+\n$/, stderr: '' })
  await close(url, 'story')
  const tail = await run(['tail', 'story', '--text', '--after', 'earliest', '--url', url])
  t.equal(tail.code, 0)
  t.equal(tail.stdout, text)
})

t.test('a word is read while the next isn’t written yet', async (t) => {
  const { url } = await gateway(t)
  const stdin = new Readable({ read() {} })
  const stdout = new PassThrough()
  stdin.push('first ')
  const publishing = run(['publish', 'story', '--words', '--url', url], { stdin })
  const argv = ['tail', 'story', '--text', '--after', 'earliest', '--url', url]
  const tailing = run(argv, { stdout })
  await once(stdout, 'data')
  stdin.push('second')
  stdin.push(null)
  t.match(await publishing, { code: 0 })
  await close(url, 'story')
  t.match(await tailing, { code: 0, stdout: 'first second' })
})

t.test('an upload that is repeated with its key appends only what was missing', async (t) => {
  const { url } = await gateway(t)
  for (const lines of ['a\nb\n', 'a\nb\nc\n']) {
    const argv = ['publish', 'c', '--lines', '--key', 'k', '--url', url]
    t.match(await run(argv, { stdin: Readable.from([lines]) }), { code: 0 })
  }
  await close(url, 'c')
  const items = await collect(subscribe({ url, channels: ['c'], after: 'earliest' }))
  const events = items.filter((item): item is EventItem => item.type === 'event')
  t.same(
    events.map((event) => event.data),
    ['a', 'b', 'c'],
  )
})

t.test('a refusal of the gateway is told as it says it', async (t) => {
  const { url } = await gateway(t)
  const refused: [string[], RegExp][] = [
    [['publish', 'run:x', 'hi'], /403 channel_reserved/],
    [['publish', '?', 'hi'], /400 channel_invalid/],
    [['publish', 'c', 'hi', '--name', 'stream.x'], /\(40\d /],
    [['publish', 'run:x', 'hi', '--lines'], /403 channel_reserved/],
    [['tail', '?'], /400 channel_invalid/],
    [['tail', 'c', '--after', 'x y'], /400 cursor_invalid/],
  ]
  for (const [argv, words] of refused) {
    t.match(
      await run([...argv, '--url', url]),
      { code: 1, stdout: '', stderr: words },
      argv.join(' '),
    )
  }
})

t.test('a key gives the first answer again', async (t) => {
  const { url } = await gateway(t)
  const first = await publish({ url, channel: 'c', data: 1, key: 'k' })
  const again = await publish({ url, channel: 'c', data: 1, key: 'k' })
  t.same(again, { ...first, duplicate: true })
  const error = await publish({ url, channel: 'c', data: 2, key: 'k' }).catch((e) => e)
  t.match(error, { status: 422, problem: { code: 'key_conflict' } })
})

t.test(
  'a subscription whose connections keep breaking gets every event once, in order',
  async (t) => {
    const { url } = await gateway(t)
    const total = 40
    for (let i = 0; i < total; i++) await publish({ url, channel: 'c', data: i })
    await close(url, 'c')
    let budget = 500
    /** Lets some more bytes through with each connection, then breaks it. */
    const breaking: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (response.body === null) return response
      budget += 100
      let left = budget
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk.subarray(0, left))
          left -= chunk.length
          if (left <= 0) controller.error(new Error('cut'))
        },
      })
      return new Response(response.body.pipeThrough(cut), response)
    }
    const timer = (ms: number, task: () => void) => {
      const id = setTimeout(task, ms > 30_000 ? ms : 0)
      return () => clearTimeout(id)
    }
    const options = { url, channels: ['c'], after: 'earliest', fetch: breaking, timer }
    const items = await collect(subscribe({ ...options, random: () => 0 }))
    const events = items.filter((item): item is EventItem => item.type === 'event')
    t.same(
      events.map((event) => event.data),
      Array.from({ length: total }, (_, i) => i),
    )
    t.ok(items.filter((item) => item.type === 'ready').length > 3, 'it was cut several times')
  },
)

/** Resolves when a stream has said it. */
function said(stream: PassThrough, words: RegExp): Promise<void> {
  let text = ''
  return new Promise((resolve) => {
    stream.on('data', (chunk) => {
      text += chunk
      if (words.test(text)) resolve()
    })
  })
}

t.test('tail tells of a goodbye and a gap, and goes on with the next gateway', async (t) => {
  const first = await startGateway(loadConfig({ flags: { port: '0', 'drain-time': '5s' } }))
  const { url } = first
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const stop = new AbortController()
  const before = said(stdout, /before/)
  const argv = ['tail', 'c', '--after', 'earliest', '--url', url]
  const tailing = run(argv, { stdout, stderr, signal: stop.signal })
  await publish({ url, channel: 'c', data: 'before' })
  await before
  const back = said(stderr, /ends the stream: draining\n.*connected again\n.*gap on c/s)
  const after = said(stdout, /after/)
  await first.close()
  const second = await startGateway(loadConfig({ flags: { port: new URL(url).port } }))
  t.teardown(() => second.close())
  // Another memory: that events may be missing is said before anything that follows.
  await back
  await publish({ url, channel: 'c', data: 'after' })
  await after
  stop.abort()
  t.match(await tailing, { code: 0 })
})

const bin = fileURLToPath(new URL('../../src/bin.ts', import.meta.url))

t.test('serve says where it listens, and ends with 0 at SIGTERM', async (t) => {
  const child = spawn(process.execPath, [...process.execArgv, bin, 'serve', '--port=0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text)
    if (line.msg !== 'listening') continue
    t.match(line, { address: /^http:\/\/127\.0\.0\.1:\d+$/, log: 'memory', mode: 'open' })
    t.match(await publish({ url: line.address, channel: 'c', data: 1 }), { duplicate: false })
    child.kill('SIGTERM')
    break
  }
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
})

t.test('a port that is taken is said with what to do', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as { port: number }
  const ran = await run(['serve', '--port', String(port)])
  t.match(ran, { code: 1, stderr: new RegExp(`port ${port} is taken; choose another`) })
})
