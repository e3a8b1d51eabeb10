/** Peers that are slow on purpose: they cost little and not for long. */
import diagnostics from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import t from 'tap'
import { SLOW_MS } from '../../src/hub/limits.js'
import { ask, publish } from '../routes/support/ask.js'
import { connect } from '../routes/support/socket.js'
import { onBothLogs, stopRedis } from '../routes/support/start.js'
import { subscribe } from '../routes/support/stream.js'

t.teardown(stopRedis)

const POST = 'POST /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\n'

onBothLogs(t, '21: a head that never ends is answered 408 and closed', async (t, start) => {
  const { url } = await start({ headMs: 100 })
  const wire = await connect(url)
  wire.write('GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
  t.match(await wire.rest(), /^HTTP\/1\.1 408 .*application\/problem\+json.*"body_timeout"/s)
})

onBothLogs(t, '21: a body that never ends is answered 408', async (t, start) => {
  const { url } = await start({ bodyMs: 100 })
  for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
    const wire = await connect(url)
    t.teardown(wire.destroy)
    wire.write(`${POST}Content-Type: application/json\r\n${framing}\r\n\r\n2\r\n`)
    t.match(await wire.until(/\}$/), /^HTTP\/1\.1 408 .*"body_timeout"/s, framing)
  }
})

onBothLogs(t, '21: a streamed body has its own limit, for silence only', async (t, start) => {
  const { url } = await start({ bodyMs: 50, uploadIdleMs: 300 })
  const stream = await subscribe(url, ['a'])
  await stream.event('stream.live')
  const wire = await connect(url)
  t.teardown(wire.destroy)
  wire.write(`${POST}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n`)
  for (const n of [1, 2, 3]) {
    wire.write(`2\r\n${n}\n\r\n`)
    await stream.find((block) => block.json?.data === n)
  }
  const answer = await wire.until(/\}$/)
  t.match(answer, /^HTTP\/1\.1 408 .*"body_timeout"/s)
  t.match(answer, /"appended":3/, 'and says how many were appended')
})

onBothLogs(
  t,
  '21: whoever goes on sending after a refusal is cut off in the end',
  async (t, start) => {
    const { url } = await start({ maxBodyBytes: 1000 })
    const wire = await connect(url)
    wire.write(`${POST}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`)
    t.match(await wire.rest(), /^HTTP\/1\.1 413 /)
  },
)

onBothLogs(
  t,
  '22: a reader that never reads costs one socket’s buffer and is closed after a minute',
  async (t, start) => {
    let ahead = 0
    const sockets: Socket[] = []
    const onSocket = (message: unknown) => sockets.push((message as { socket: Socket }).socket)
    diagnostics.subscribe('net.server.socket', onSocket)
    t.teardown(() => diagnostics.unsubscribe('net.server.socket', onSocket))
    const { url } = await start({ heartbeatMs: 40, drainMs: 0 }, { now: () => Date.now() + ahead })

    const stuck = await connect(url)
    t.teardown(stuck.destroy)
    stuck.write('GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await stuck.until(/stream\.live/)
    const socket = sockets[0]!
    stuck.pause()

    const EVENT = 200_000
    let most = 0
    let last = ''
    for (let i = 0; i < 100; i++) {
      last = await publish(url, 'a', 'x'.repeat(EVENT))
      most = Math.max(most, socket.writableLength)
    }
    t.ok(most > 0, 'it is stuck')
    t.ok(most < 4 * EVENT, `of 20 MB at most ${most} bytes wait for it`)

    // Others on the channel don't notice.
    const other = await subscribe(url, ['a'], `after=${await before(url)}`)
    await other.find((block) => block.json?.id === last)

    ahead = SLOW_MS + 1_000
    const closed = new Promise((resolve) => socket.once('close', resolve))
    // The goodbye, then the time it may take to read it.
    await other.event('stream.heartbeat')
    ahead += 30_000
    await closed
    t.ok(socket.destroyed, 'closed')
    t.equal((await ask(`${url}/v1/channels?channel=a`)).json.subscribers, 1, 'and forgotten')
  },
)

/** A cursor shortly before the last event. */
async function before(url: string): Promise<string> {
  const page = await ask(`${url}/v1/events?channel=a&rewind=2&wait=0&limit=1`, {
    headers: { accept: 'application/json' },
  })
  return page.json.cursor
}

onBothLogs(t, '22: a reader that wakes up in time has lost nothing', async (t, start) => {
  const { url } = await start({ drainMs: 0 })
  const stuck = await connect(url)
  t.teardown(stuck.destroy)
  stuck.write('GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await stuck.until(/stream\.live/)
  stuck.pause()
  const ids: string[] = []
  for (let i = 0; i < 60; i++) ids.push(await publish(url, 'a', 'x'.repeat(200_000)))
  stuck.resume()
  const text = await stuck.until(new RegExp(`data: \\{"id":"${ids.at(-1)}`))
  const seen = [...text.matchAll(/data: \{"id":"(\d+-\d+)"/g)].map((match) => match[1])
  t.same(seen, ids)
})

for (const format of ['envelope', 'raw']) {
  onBothLogs(
    t,
    `22: a reader that wakes up too late is told, or cut off where it can’t be (${format})`,
    async (t, start) => {
      const { url } = await start({ retentionEvents: 5, drainMs: 0 })
      const stuck = await connect(url)
      t.teardown(stuck.destroy)
      stuck.write(`GET /v1/events?channel=a&format=${format} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      await stuck.until(/\nid: |retry: /)
      stuck.pause()
      // More than the sockets and the node's pages hold together.
      let last = ''
      for (let i = 0; i < 250; i++) last = await publish(url, 'a', 'x'.repeat(200_000))
      stuck.resume()
      if (format === 'raw') {
        t.notMatch(await stuck.rest(), last, 'cut off before the events behind the gap')
        return
      }
      const text = await stuck.until(new RegExp(`data: \\{"id":"${last}`))
      t.equal(text.match(/event: stream\.gap/g)?.length, 1, 'told once')
      const [, next] = /event: stream\.gap\ndata: .*"next":"([\d-]+)"/.exec(text) ?? []
      const behind = text.slice(text.indexOf('event: stream.gap'))
      t.equal(
        /data: \{"id":"([\d-]+)"/.exec(behind)?.[1],
        next,
        'everything from `next` on follows',
      )
    },
  )
}
