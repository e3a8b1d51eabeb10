/** The user of docs/redis.md is enough for a gateway, and has no right that no gateway uses. */
import { EventEmitter, once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { subscribe } from '../../src/client/subscribe.js'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'
import { startGateway as startSharing } from '../auth/shared-gateway.js'
import { startRedis } from '../support/redis.js'
import { startCluster } from '../support/redis-cluster.js'

const page = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8')
/** The arguments that a shell makes of it. */
const words = (/^redis-cli (ACL SETUSER[^`]*)/m.exec(page)?.[1] ?? '')
  .replaceAll(/\\\n|'/g, '')
  .trim()
  .split(/\s+/)

const FUNCTIONS = new URL('../../src/log/redis/functions/', import.meta.url)
/** Commands that are called by their second word. */
const CONTAINERS = new Set(['MEMORY', 'XGROUP', 'XINFO'])

/** What the functions call: a user's rights count inside them, too. */
function calledByFunctions(): Set<string> {
  const called = new Set<string>()
  for (const file of readdirSync(FUNCTIONS)) {
    const text = readFileSync(new URL(file, FUNCTIONS), 'utf8')
    for (const [, first, second] of text.matchAll(/redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?/g)) {
      called.add((CONTAINERS.has(first!) ? `${first}|${second}` : first!).toLowerCase())
    }
  }
  return called
}

/** What a gateway calls itself. */
const CALLED = [
  ...['ping', 'info', 'wait', 'client|setname', 'select', 'function|load', 'fcall', 'fcall_ro'],
  ...['ssubscribe', 'sunsubscribe', 'spublish', 'cluster|info', 'cluster|slots'],
  // Raw publishers and the inbox.
  ...['psubscribe', 'publish', 'xread', 'xdel', 'xadd'],
]

t.test('the rights of docs/redis.md are those that are used, no more and no fewer', async (t) => {
  const granted = words.filter((word) => /^\+/.test(word)).map((word) => word.slice(1))
  const used = new Set([...calledByFunctions(), ...CALLED])
  t.same(granted.toSorted(), [...used].toSorted())
})

const PARTITIONS = 4

/** Everything that a gateway does, over HTTP and over Redis. */
async function live(t: Test, redisUrl: string, outside: () => Promise<void>): Promise<void> {
  const leases = new EventEmitter()
  let held = 0
  const logger = pino({ level: 'info' }, { write: (line: string) => said(line) })
  function said(line: string): void {
    if (!line.includes('raw messages: this gateway appends them')) return
    held++
    leases.emit('held')
  }
  const config = { ...loadConfig(), port: 0, partitions: PARTITIONS, redisUrl }
  const gateway = await startGateway(config, { logger })
  t.teardown(() => gateway.close())
  while (held < PARTITIONS) await once(leases, 'held')
  const call = async (method: string, path: string, body?: unknown) => {
    const headers = { accept: 'application/json', 'idempotency-key': crypto.randomUUID() }
    const answer = await fetch(`${gateway.url}${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    t.ok(answer.status < 300, `${method} ${path}: ${answer.status}`)
    return answer.json().catch(() => undefined)
  }
  const channels = ['a', 'b', 'c', 'd', 'e', 'f', 'raw', 'kept']
  const stopped = new AbortController()
  t.teardown(() => stopped.abort())
  const items = subscribe({ url: gateway.url, channels, signal: stopped.signal })
  const heard = new Set<string>()
  const listening = (async () => {
    for await (const item of items) {
      if (item.type === 'event') heard.add(item.channel)
      if (heard.size === channels.length) break
    }
  })()
  for (const channel of channels.slice(0, 6)) {
    await call('POST', `/v1/events?channel=${channel}`, { text: 'Hello' })
  }
  await outside()
  await listening
  await call('GET', '/v1/events?channel=a&after=earliest&wait=0')
  await call('GET', '/v1/events?channel=a&rewind=1&wait=0')
  await call('GET', '/v1/channels?channel=a')
  await call('POST', '/v1/channels/close?channel=a')
  await call('DELETE', '/v1/channels?channel=a')
  await call('GET', '/readyz')
  await gateway.close()
  await share(t, redisUrl)
}

/** What gateways ask each other beside events, on each partition. */
async function share(t: Test, url: string): Promise<void> {
  const { shared } = await startSharing(t, { url, partitions: PARTITIONS })
  const soon = Date.now() + 60_000
  const rate = { amount: 10, ms: 1000 }
  for (let i = 0; i < 4 * PARTITIONS; i++) {
    await shared.issueTicket(`t${i}`, 'record', soon, soon)
    await shared.redeemTicket(`t${i}`, 'session')
    await shared.claimSession(`s${i}`, 'owner', 60_000)
    await shared.sessionOwner(`s${i}`)
    await shared.take(`b${i}`, rate, 1, 10)
  }
  await shared.revoke({ kind: 'jti', value: 'short', until: Date.now() + 1 })
  await shared.revoke({ kind: 'jti', value: 'long', until: soon })
  await shared.renew('session', 'renewal')
}

async function denied(client: Redis): Promise<string[]> {
  const entries = (await client.call('ACL', 'LOG')) as unknown[]
  return entries.map((entry) => {
    const fields = Array.isArray(entry) ? entry : Object.entries(entry as object).flat()
    return `${fields[fields.indexOf('reason') + 1]} ${fields[fields.indexOf('object') + 1]}`
  })
}

t.test('a gateway lives with the user of docs/redis.md', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.call(words[0]!, ...words.slice(1))
  await live(t, `redis://sluice:password@127.0.0.1:${server.port}/0`, async () => {
    await admin.xadd('sluice:inbox', '*', 'channel', 'kept', 'data', '1')
    await admin.xadd('sluice:inbox', '*', 'nonsense', '1')
    await admin.publish('sluice:in:raw', 'Hello')
  })
  t.same(await denied(admin), ['command config|get'])
})

t.test('and in a cluster', async (t) => {
  const cluster = await startCluster({ replicas: 0 })
  t.teardown(() => cluster.stop())
  const admins = cluster.nodes.map(({ url }) => new Redis(url))
  t.teardown(() => {
    for (const each of admins) each.disconnect()
  })
  for (const admin of admins) await admin.call(words[0]!, ...words.slice(1))
  const seeds = cluster.url.replaceAll('redis://', 'redis://sluice:password@')
  const writer = new Redis.Cluster([{ host: '127.0.0.1', port: cluster.nodes[0]!.port }])
  t.teardown(() => writer.disconnect())
  await live(t, seeds, async () => {
    await writer.xadd('sluice:inbox', '*', 'channel', 'kept', 'data', '1')
    await admins[0]!.publish('sluice:in:raw', 'Hello')
  })
  for (const admin of admins) t.same(new Set(await denied(admin)), new Set(['command config|get']))
})
