/** What events of runs are called, and to whom. */
import t from 'tap'
import { ask, poll } from './support/ask.js'
import { call, DONE, SSE, stage } from './support/relay.js'
import { onBothLogs, stopRedis } from './support/start.js'
import { open, type parseBlock, subscribe } from './support/stream.js'

t.teardown(stopRedis)

const CONTROLS = ['stream.end', 'stream.bye', 'stream.gap', 'presence.join', 'room.closed']

onBothLogs(t, 'whoever produces a run names no event like the server’s own', async (t, start) => {
  const { url } = await start()
  for (const [i, name] of CONTROLS.entries()) {
    const put = await ask(`${url}/v1/runs/put${i}`, {
      method: 'PUT',
      headers: { 'content-type': 'text/event-stream' },
      body: `data: 1\n\nevent: ${name}\ndata: {}\n\n`,
    })
    t.match(put, { status: 400, json: { code: 'event_invalid', appended: 1 } }, name)
    const item = await ask(`${url}/v1/runs/item/events?name=${name}`, {
      ...{ method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
    })
    t.match(item, { status: 400, json: { code: 'event_invalid' } }, name)
  }
})

onBothLogs(
  t,
  'an upstream’s names are its own in the raw format, and steer nobody in envelopes',
  async (t, start) => {
    const { url, relay, onAsk } = await stage(t, start)
    const odd = [...CONTROLS, 'x'.repeat(5000), 'a\u2028b']
    const fair = ['error', 'content_block_delta', 'message']
    const names = [...odd, ...fair]
    const body = names.map((name) => `event: ${name}\ndata: {"n":1}\n\n`).join('')
    onAsk(({ response }) => response.writeHead(200, SSE).end(body + DONE))
    const caller = await call(relay, {}, { 'sluice-run': 'r' })
    t.equal(await caller.over(), 'end')
    const called = (blocks: readonly ReturnType<typeof parseBlock>[]) =>
      blocks.filter(({ json }) => json?.n ?? json?.data?.includes?.('n')).map(({ event }) => event)
    t.same(
      called(caller.blocks),
      names.map((name) => (name === 'message' ? undefined : name)),
    )
    const expected = [...odd.map(() => undefined), 'error', 'content_block_delta', undefined]
    const enveloped = await open(`${url}/v1/runs/r/events?format=envelope`)
    t.equal(await enveloped.over(), 'end')
    t.same(called(enveloped.blocks), expected)
    const other = await subscribe(url, ['run:r', 'chat:7'], 'after=earliest')
    await other.event('stream.live')
    t.same(called(other.blocks), expected)
    other.close()
    const { events } = (await poll(url, 'channel=run:r&after=earliest&wait=0')).json
    t.same(
      events.slice(0, names.length).map(({ name }: { name: string }) => name),
      expected.map((name) => name ?? 'message'),
    )
  },
)
