import type { Redis } from 'ioredis'
import t from 'tap'
import { hashTag } from '../../src/log/redis/slots.js'
import { startLosingProxy } from '../log/losing.js'
import { dataOf, everything } from '../log/subject.js'
import { startRedis } from '../support/redis.js'
import { type Node, numbers, plain, READS, startNode } from './stage.js'

const server = await startRedis()
t.teardown(() => server.stop())
let prefixes = 0
const fresh = () => ({ url: server.url, prefix: `t${++prefixes}` })

const entry = (channel: string, data: string) => ['channel', channel, 'data', data]

async function leave(client: Redis, prefix: string, entries: readonly string[][]): Promise<void> {
  const batch = client.pipeline()
  for (const fields of entries) batch.xadd(`${prefix}:inbox`, '*', ...fields)
  await batch.exec()
}

/** Resolves once the channel's last entry has this data. */
async function until(node: Node, channel: string, data: string): Promise<void> {
  await node.heard.until(() => dataOf(node.heard.entriesOf(channel)).includes(data))
}

t.test('entries are appended in their order, each once, equal ones too', async (t) => {
  const where = { ...fresh(), partitions: 3 }
  const nodes = [await startNode(t, where), await startNode(t, where)]
  const [{ log }] = nodes as [Node]
  const channels = ['a', 'b', 'c', 'd', 'e']
  await Promise.all(channels.map((channel) => log.follow(channel)))
  const client = plain(t, server.url)
  const data = numbers(2000).map((n) => String(Math.floor(Number(n) / 10)))
  await leave(
    client,
    where.prefix,
    data.map((one, i) => entry(channels[i % 5]!, one)),
  )
  await leave(
    client,
    where.prefix,
    channels.map((channel) => entry(channel, '"last"')),
  )
  for (const channel of channels) await until(nodes[0]!, channel, '"last"')
  for (const [i, channel] of channels.entries()) {
    const sent = data.filter((_, n) => n % 5 === i)
    t.strictSame(dataOf((await everything(log, channel)).entries), [...sent, '"last"'], channel)
  }
  await Promise.all(nodes.map((node) => node.stop()))
  t.equal(await client.xlen(`${where.prefix}:inbox`), 0, 'what was taken is removed')
  t.equal(nodes.filter(({ lines }) => lines.some((it) => it.message === READS)).length, 1)
})

t.test('answers that are lost on the way cost nothing and double nothing', async (t) => {
  const proxy = await startLosingProxy(server.port)
  t.teardown(() => proxy.stop())
  const where = fresh()
  const node = await startNode(t, { ...where, url: proxy.url })
  const client = plain(t, server.url)
  await node.said(({ message }) => message === READS)
  const COUNT = 1000
  for (let n = 0; n < COUNT; n++) {
    await client.xadd(`${where.prefix}:inbox`, '*', ...entry('a', String(n)))
    // At any moment of a round, for nothing here waits for one.
    if (n % 200 === 150) proxy.cutAll()
  }
  const reader = await startNode(t, where)
  await reader.log.follow('a')
  await client.xadd(`${where.prefix}:inbox`, '*', ...entry('a', '"last"'))
  await until(reader, 'a', '"last"')
  t.strictSame(dataOf((await everything(reader.log, 'a')).entries), [...numbers(COUNT), '"last"'])
})

t.test('what nobody can take is said, kept apart, and holds up nothing', async (t) => {
  const where = fresh()
  const node = await startNode(t, where)
  const { log } = node
  await log.follow('a')
  await log.append([{ channel: 'closed', name: 'message', data: '0' }])
  await log.close('closed', null)
  const client = plain(t, server.url)
  const wrong: [fields: string[], reason: RegExp][] = [
    [['data', '1'], /^channel_missing/],
    [entry('a b', '1'), /^channel_invalid/],
    [entry('run:1', '1'), /^channel_reserved/],
    [['channel', 'a'], /^event_invalid.*"data" is missing/],
    [entry('a', 'no json'), /^event_invalid.*not JSON/],
    [[...entry('a', '1'), 'name', 'stream.gap'], /^event_invalid.*belong to the server/],
    [[...entry('a', '1'), 'sender', 'x'], /^event_invalid.*"sender"/],
    [entry('a', `"${'x'.repeat(200_000)}"`), /^event_too_large/],
    [entry('closed', '1'), /^channel_closed/],
    [[...entry('a', '"other"'), 'key', 'k'], /^key_conflict/],
  ]
  await leave(client, where.prefix, [[...entry('a', '"first"'), 'key', 'k']])
  await leave(
    client,
    where.prefix,
    wrong.flatMap(([fields]) => [fields, entry('a', '1')]),
  )
  await leave(client, where.prefix, [[...entry('a', '"first"'), 'key', 'k']])
  await leave(client, where.prefix, [entry('a', '"last"')])
  await until(node, 'a', '"last"')
  const { entries } = await everything(log, 'a')
  t.strictSame(dataOf(entries), ['"first"', ...wrong.map(() => '1'), '"last"'])
  await node.stop()

  t.equal(await client.xlen(`${where.prefix}:inbox`), 0)
  const kept = await client.xrange(`${where.prefix}:inbox:rejected`, '-', '+')
  t.equal(kept.length, wrong.length)
  for (const [fields, reason] of wrong) {
    const found = kept.find(([, it]) => reason.test(it[3] ?? ''))
    if (found === undefined) t.fail(String(reason))
    const [, [, id, , , ...rest]] = found!
    t.strictSame(
      rest,
      fields.map((text) => text.slice(0, 10_000)),
    )
    const said = node.lines.filter((line) => line.fields.id === id)
    t.equal(said.length, 1, `${reason} is said once, with its id`)
    t.match(said[0]?.fields.reason, reason)
  }
})

t.test('an inbox that was deleted may begin with smaller ids', async (t) => {
  const where = fresh()
  const node = await startNode(t, where)
  await node.log.follow('a')
  const client = plain(t, server.url)
  const key = `${where.prefix}:inbox`
  await client.xadd(key, '9999999999999-1', ...entry('a', '1'))
  await until(node, 'a', '1')
  await client.del(key)
  await client.xadd(key, '1-1', ...entry('a', '2'))
  await client.xadd(key, '1-2', ...entry('a', '3'))
  await until(node, 'a', '3')
  t.strictSame(dataOf((await everything(node.log, 'a')).entries), ['1', '2', '3'])

  // A reader that slept over all that comes with what it had read before.
  const [source] = (await client.xinfo('GROUPS', key)) as { name?: string }[]
  t.ok(source)
  const draft = { channel: 'a', name: 'message', data: '1' }
  const known = Object.keys(await client.hgetall(`${where.prefix}:{${hashTag(0, 1)}}:i`))
  t.equal(known.length, 2)
  for (const one of known) {
    const taking = { source: one, newest: '9999999999999-9', entries: [{ id: '1-1', draft }] }
    t.strictSame(await node.log.intake.appendOnce(0, taking), ['taken'])
  }
})

t.test('an inbox whose end was lost takes ids anew that were taken before', async (t) => {
  const where = fresh()
  const node = await startNode(t, where)
  await node.log.follow('a')
  const client = plain(t, server.url)
  const key = `${where.prefix}:inbox`
  await client.xadd(key, '5000-1', ...entry('a', '1'))
  await until(node, 'a', '1')
  await node.stop()
  // What a replica with a clock behind looks like that was promoted without the newest entries.
  await client.call('XSETID', key, '4000-0')
  await client.xadd(key, '4000-1', ...entry('a', '2'))
  const next = await startNode(t, where)
  await next.log.follow('a')
  await client.xadd(key, '4000-2', ...entry('a', '3'))
  await until(next, 'a', '3')
  t.strictSame(dataOf((await everything(next.log, 'a')).entries), ['1', '2', '3'])
})

t.test('while the log takes nothing the inbox waits', async (t) => {
  const where = fresh()
  const node = await startNode(t, where)
  await node.log.follow('a')
  await node.said(({ message }) => message === READS)
  const client = plain(t, server.url)
  // Memory is full: Redis refuses whatever may need more.
  await leave(
    client,
    where.prefix,
    numbers(10).map((n) => entry('a', n)),
  )
  await until(node, 'a', '9')
  await client.config('SET', 'maxmemory', '1')
  await t.rejects(client.xadd(`${where.prefix}:inbox`, '*', ...entry('a', '10')), /OOM/)
  await node.said(({ message }) => message.startsWith("inbox: it can't be read"))
  await client.config('SET', 'maxmemory', '0')
  await leave(
    client,
    where.prefix,
    numbers(10, 10).map((n) => entry('a', n)),
  )
  await until(node, 'a', '19')
  t.strictSame(dataOf((await everything(node.log, 'a')).entries), numbers(20))
})

t.test('something else under its name is said, and taken once it is right', async (t) => {
  const where = fresh()
  const client = plain(t, server.url)
  await client.set(`${where.prefix}:inbox`, 'x')
  const node = await startNode(t, where)
  const line = await node.said(({ message }) => message.startsWith("inbox: it can't be read"))
  t.match(line.message, 'is not a stream')
  await client.del(`${where.prefix}:inbox`)
  await node.log.follow('a')
  await leave(client, where.prefix, [entry('a', '1')])
  await until(node, 'a', '1')
})
