import { PassThrough } from 'node:stream'
import t from 'tap'
import { block, event, gone, problem, ready, speaker, status, stream } from '../client/speaker.js'
import { run } from './run.js'

t.test('--json gives one envelope per line, numbers as they were sent', async (t) => {
  const raw = `id: 5-0\nevent: n\ndata: {"id":"5-0","channel":"c","data":{"n":1e400},"sender":"s","time":9}\n\n`
  const { url } = await speaker(t, [stream(ready('0-0') + raw + event('6-0', 'x')), gone])
  const { code, stdout } = await run(['tail', 'c', '--json', '--url', url])
  t.equal(code, 0)
  t.equal(
    stdout,
    '{"id":"5-0","name":"n","channel":"c","data":{"n":1e400},"sender":"s","time":9}\n' +
      '{"id":"6-0","name":"message","channel":"c","data":"x","time":1}\n',
  )
})

t.test('--text gives text events as they are, joined, and nothing else', async (t) => {
  const events = event('1-0', ' The') + event('2-0', { a: 1 }) + event('3-0', '  fox\n')
  const { url } = await speaker(t, [stream(ready('0-0') + events), gone])
  t.match(await run(['tail', 'c', '--text', '--url', url]), { code: 0, stdout: ' The  fox\n' })
})

t.test('what others wrote can’t command the terminal', async (t) => {
  const evil = '\x1b]0;owned\x07'
  const gap = { channel: evil, after: null, next: '1-0', reason: evil }
  const frames = event('2-0', evil, 'c', 'x\x1b[2J') + block('stream.gap', gap, '2-0')
  const { url } = await speaker(t, [stream(ready('0-0') + frames), gone])
  const { stdout, stderr } = await run(['tail', 'c', '--url', url])
  t.notMatch(stdout + stderr, /[\x00-\x09\x0b-\x1f]/)
  t.match(stdout, '\\u001b]0;owned')
})

t.test('gaps, ends, a lost connection and its return are told on stderr', async (t) => {
  const gap = { channel: 'c', after: '1-0', next: '5-0', reason: 'trimmed' }
  const { url } = await speaker(t, [
    stream(ready('1-0') + block('stream.gap', gap, '4-0') + event('5-0', 'x')),
    stream(ready('5-0') + block('stream.end', { channel: 'c', reason: 'done' }, '6-0')),
    gone,
  ])
  const { code, stdout, stderr } = await run(['tail', 'c', '--url', url])
  t.equal(code, 0)
  t.match(stdout, /^\d\d:\d\d:\d\d\.001 {2}x\n$/)
  const told = [/gap on c: events between 1-0 and 5-0.*trimmed/, /lost/, /again/, /has ended: done/]
  let at = 0
  for (const words of told) {
    const found = stderr.slice(at).search(words)
    t.ok(found >= 0, String(words))
    at += found
  }
})

t.test('channel, name and data stand in columns where there are several', async (t) => {
  const events = event('1-0', 'a', 'chat:7') + event('2-0', { b: 1 }, 'c', 'token')
  const { url } = await speaker(t, [stream(ready('0-0') + events), gone])
  const { stdout } = await run(['tail', 'chat:7', 'c', '--url', url])
  t.match(stdout, /^\S+ {2}chat:7 {2}a\n\S+ {2}c {7}token {2}\{"b":1\}\n$/)
})

t.test('after and rewind reach the gateway', async (t) => {
  const { url, requests } = await speaker(t, [gone])
  await run(['tail', 'a', 'b', '--after', 'earliest', '--rewind', '5m'], {
    env: { SLUICE_URL: url },
  })
  t.equal(requests[0]?.url, '/v1/events?channel=a&channel=b&after=earliest&rewind=5m')
})

t.test('a refusal is told in the gateway’s words, and exits 1', async (t) => {
  const { url } = await speaker(t, [problem(400, 'channel_invalid')])
  t.match(await run(['tail', '?', '--url', url]), { code: 1, stderr: /\(400 channel_invalid\)/ })
  const page = await speaker(t, [status(200, { 'content-type': 'text/html' }, '<p>')])
  t.match(await run(['tail', 'c', '--url', page.url]), { code: 1, stderr: /is this a gateway/ })
})

t.test('a stream ended for good is a failure', async (t) => {
  const bye = block('stream.bye', { reason: 'revoked', reconnect: false, retry: 0 }, 'end.0-0')
  const { url } = await speaker(t, [stream(ready('0-0') + bye, 'open')])
  t.match(await run(['tail', 'c', '--url', url]), { code: 1, stderr: /ends the stream: revoked/ })
})

t.test('a reader of the pipe that goes away is a quiet end', async (t) => {
  const { url } = await speaker(t, [stream(ready('0-0') + event('1-0', 'x'), 'open')])
  const stdout = new PassThrough()
  stdout.on('data', () => stdout.destroy(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })))
  t.match(await run(['tail', 'c', '--url', url], { stdout }), { code: 0, stderr: '' })
})

t.test('a signal is a quiet end', async (t) => {
  const stop = new AbortController()
  const { url } = await speaker(t, [stream(ready('0-0') + event('1-0', 'x'), 'open')])
  const stdout = new PassThrough()
  stdout.on('data', () => stop.abort())
  t.match(await run(['tail', 'c', '--url', url], { stdout, signal: stop.signal }), {
    code: 0,
    stderr: '',
  })
})
