/** A gateway process on a Redis that stops for a while and goes on: everybody waits, nobody misses anything. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import t from 'tap'
import {
  dataOf,
  gateway,
  green,
  plain,
  post,
  publish,
  reading,
  red,
  redis,
  repetition,
  seenAll,
} from './support/outage.js'
import type { RedisServer } from './support/redis.js'
import { controls } from './support/sse-reader.js'

interface Stall {
  readonly name: string
  /** Resolves when it is over. */
  stall(server: RedisServer, admin: Redis): Promise<unknown>
}

/** ms that a stall takes. */
const STALL = 3000

const stalls: Stall[] = [
  {
    name: 'CLIENT PAUSE ALL',
    stall: (_server, admin) => admin.call('CLIENT', 'PAUSE', STALL, 'ALL').then(() => admin.ping()),
  },
  {
    name: 'CLIENT PAUSE WRITE',
    stall: (_server, admin) =>
      admin.call('CLIENT', 'PAUSE', STALL, 'WRITE').then(() => admin.set('over', '1')),
  },
  { name: 'DEBUG SLEEP', stall: (_server, admin) => admin.call('DEBUG', 'SLEEP', STALL / 1000) },
  {
    name: 'SIGSTOP',
    async stall(server) {
      await server.kill('SIGSTOP')
      await delay(STALL)
      await server.kill('SIGCONT')
    },
  },
]

t.test('a stall', { jobs: 4 }, async (t) => {
  for (const { name, stall } of stalls) {
    t.test(`of three seconds (${name}) delays and loses nothing`, async (t) => {
      const server = await redis(t, ['--enable-debug-command', 'yes'])
      const { url, log } = await gateway(t, server.url)
      const channels = ['a', 'b']
      const reader = await reading(t, url, channels)
      for (const channel of channels) await publish(url, channel, 0)
      const lines = log.length
      const over = stall(server, plain(t, server))
      const under = channels.map((channel) => publish(url, channel, 1))
      await red(url)
      await over
      await Promise.all(under)
      await green(url)
      for (const channel of channels) await publish(url, channel, 2)
      await seenAll(reader, channels, 3)
      for (const channel of channels) t.same(dataOf(reader, channel), [0, 1, 2])
      t.same(controls(reader.seen, 'stream.gap'), [])
      t.equal(reader.connections, 1, 'the stream stayed open')
      t.ok(repetition(log.slice(lines)) <= 2, log.slice(lines).join('\n'))
    })
  }
})

t.test('a Redis that stalls again and again is slow, and no more', async (t) => {
  const server = await redis(t, ['--enable-debug-command', 'yes'])
  const { url, log } = await gateway(t, server.url)
  const admin = plain(t, server)
  const reader = await reading(t, url, ['a'])
  const lines = log.length
  for (let i = 0; i < 8; i++) {
    const stalled = admin.call('DEBUG', 'SLEEP', '0.3')
    t.equal((await post(url, 'a', i)).status, 201)
    await stalled
  }
  await seenAll(reader, ['a'], 8)
  t.same(dataOf(reader, 'a'), [0, 1, 2, 3, 4, 5, 6, 7])
  t.same(controls(reader.seen, 'stream.gap'), [])
  t.equal(reader.connections, 1)
  const lost = log.slice(lines).filter((line) => /lost|refuses/.test(line))
  t.same(lost, [], 'no connection was given up')
})
