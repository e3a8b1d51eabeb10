import { once } from 'node:events'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { type Answer, problem, speaker, status } from '../client/speaker.js'
import { run } from './run.js'

const json = { 'content-type': 'application/json' }

/** Accepts what comes; `bodies` keeps it. */
function accepting(bodies: string[]): Answer {
  return async (req, res) => {
    const body = await text(req)
    bodies.push(body)
    const streamed = req.headers['content-type'] === 'application/x-ndjson'
    const count = body.split('\n').length - 1
    const answer = streamed ? { events: count, last: `${count}-0` } : { id: '1-0', channel: 'c' }
    status(201, json, JSON.stringify(answer))(req, res)
  }
}

t.test('an argument is an event of text, and its id is printed', async (t) => {
  const bodies: string[] = []
  const { url, requests } = await speaker(t, [accepting(bodies)])
  const ran = await run(['publish', 'c', 'Hällo', '--name', 'n', '--key', 'k', '--url', url])
  t.same(ran, { code: 0, stdout: '1-0\n', stderr: '' })
  t.strictSame(bodies, ['"Hällo"'])
  t.match(requests[0], {
    url: '/v1/events?channel=c&name=n',
    headers: { 'idempotency-key': 'k' },
  })
})

t.test('without an argument stdin is one event', async (t) => {
  const bodies: string[] = []
  const { url } = await speaker(t, [accepting(bodies)])
  const stdin = Readable.from([Buffer.from('two\n'), Buffer.from('lines\n')])
  await run(['publish', 'c'], { stdin, env: { SLUICE_URL: url } })
  t.strictSame(bodies, ['"two\\nlines\\n"'])
})

t.test('--json goes as it was written, and is checked before it goes', async (t) => {
  const bodies: string[] = []
  const { url } = await speaker(t, [accepting(bodies)])
  await run(['publish', 'c', '{"n": 12345678901234567890}', '--json', '--url', url])
  t.strictSame(bodies, ['{"n": 12345678901234567890}'])
  const ran = await run(['publish', 'c', '{n: 1}', '--json', '--url', url])
  t.match(ran, { code: 2, stderr: /this is not JSON/ })
  t.equal(bodies.length, 1)
})

t.test('a line arrives while the next isn’t written yet', async (t) => {
  const stdin = new Readable({ read() {} })
  const { url, requests } = await speaker(t, [
    async (req, res) => {
      const [first] = await once(req, 'data')
      t.equal(String(first), '"first"\n')
      stdin.push('second\nthird')
      stdin.push(null)
      t.equal(await text(req), '"second"\n"third"\n')
      status(201, json, '{"events":3,"last":"3-0"}')(req, res)
    },
  ])
  stdin.push('first\n')
  const ran = await run(['publish', 'c', '--lines', '--url', url], { stdin })
  t.same(ran, { code: 0, stdout: '3-0\n', stderr: '' })
  t.equal(requests[0]?.headers['content-type'], 'application/x-ndjson')
})

t.test('--words sends each word with its white space, in one request', async (t) => {
  const bodies: string[] = []
  const { url } = await speaker(t, [accepting(bodies)])
  const stdin = Readable.from([Buffer.from(' The  quick\nfox \n')])
  const argv = ['publish', 'c', '--words', '--pace', '0', '--url', url]
  t.match(await run(argv, { stdin }), { code: 0, stdout: '4-0\n' })
  t.strictSame(bodies, ['" The"\n"  quick"\n"\\nfox"\n" \\n"\n'])
})

t.test('a line that isn’t JSON ends --lines --json, and says so', async (t) => {
  const { url } = await speaker(t, [(req) => req.resume()])
  const stdin = Readable.from([Buffer.from('1\n\n{\n')])
  const ran = await run(['publish', 'c', '--lines', '--json', '--url', url], { stdin })
  t.match(ran, { code: 2, stderr: /this is not JSON/ })
})

t.test('a refusal is told in the gateway’s words, and exits 1', async (t) => {
  const { url } = await speaker(t, [problem(409, 'channel_closed')])
  for (const argv of [['x'], ['x y', '--words', '--pace', '0']]) {
    const ran = await run(['publish', 'c', ...argv, '--url', url])
    t.match(ran, {
      code: 1,
      stdout: '',
      stderr: /^sluice: No\n +Do it otherwise\. \(409 channel_closed\)\n$/,
    })
  }
})

t.test('a refusal in the middle of a streamed request is told as well', async (t) => {
  const stdin = new Readable({ read() {} })
  const { url } = await speaker(t, [
    (req, res) => {
      req.once('data', () => problem(400, 'event_invalid')(req, res))
    },
  ])
  stdin.push('first\n')
  const ran = await run(['publish', 'c', '--lines', '--url', url], { stdin })
  t.match(ran, { code: 1, stderr: /\(400 event_invalid\)/ })
})

t.test('an ephemeral event is sent without a word', async (t) => {
  const { url, requests } = await speaker(t, [status(202)])
  const ran = await run(['publish', 'c', 'x', '--ephemeral', '--url', url])
  t.same(ran, { code: 0, stdout: '', stderr: '' })
  t.match(requests[0]?.url, /ephemeral=true/)
})

t.test('no gateway there: the address, the reason, and what to do', async (t) => {
  const ran = await run(['publish', 'c', 'x y', '--words', '--url', 'http://127.0.0.1:1'])
  t.match(ran, { code: 1, stderr: /no answer from http:\/\/127\.0\.0\.1:1: .*\n.*sluice serve/ })
})
