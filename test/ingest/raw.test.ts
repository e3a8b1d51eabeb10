import t from 'tap'
import { LEASE, RENEW } from '../../src/ingest/limits.js'
import { dataOf, everything } from '../log/subject.js'
import { startRedis } from '../support/redis.js'
import { APPENDS, holder, LEFT, numbers, plain, startNode } from './stage.js'

const server = await startRedis()
t.teardown(() => server.stop())
let prefixes = 0
const fresh = () => ({ url: server.url, prefix: `t${++prefixes}` })

t.test('of three gateways that hear a raw message exactly one appends it', async (t) => {
  const where = fresh()
  const nodes = [await startNode(t, where), await startNode(t, where), await startNode(t, where)]
  const one = await holder(nodes)
  const [{ log, heard }] = nodes as [(typeof nodes)[0]]
  await log.follow('a')
  const client = plain(t, server.url)
  // Pairs of equal ones: both are meant.
  const sent = numbers(1000).map((n) => String(Math.floor(Number(n) / 2)))
  await Promise.all(sent.map((data) => client.publish(`${where.prefix}:in:a`, data)))
  await client.publish(`${where.prefix}:in:a`, '"last"')
  await heard.until(() => dataOf(heard.entries).includes('"last"'))
  // Whoever else took them would have appended in the meantime: all heard them before the last one.
  await Promise.all(nodes.map((node) => node.stop()))
  const reader = await startNode(t, where)
  t.strictSame(dataOf((await everything(reader.log, 'a')).entries), [...sent, '"last"'])
  t.equal(nodes.filter(({ lines }) => lines.some((it) => it.message === APPENDS)).length, 1)
  t.ok(nodes.includes(one))
})

t.test('an append with the token of another lease is refused whole', async (t) => {
  const node = await startNode(t, fresh())
  await holder([node])
  const { log } = node
  const drafts = ['1', '2'].map((data) => ({ channel: 'a', name: 'message', data, key: data }))
  t.equal(await log.intake.appendHeld(0, { token: 'of yesterday', drafts }), 'fenced')
  const taken = await log.intake.lease(0, { held: '', fresh: 'mine', ms: 1000 })
  t.equal(taken.token, '', 'somebody else holds it')
  const held = { token: taken.other, drafts }
  t.match(await log.intake.appendHeld(0, held), [{ duplicate: false }, { duplicate: false }])
  t.strictSame(dataOf((await everything(log, 'a')).entries), ['1', '2'])
})

t.test('a message of a closed channel is dropped alone, and said', async (t) => {
  const where = fresh()
  const node = await startNode(t, where)
  await holder([node])
  const { log, heard } = node
  await log.follow('open')
  await log.append([{ channel: 'closed', name: 'message', data: '0' }])
  await log.close('closed', null)
  const batch = plain(t, server.url).pipeline()
  for (const name of ['open', 'closed', 'open', 'run:1', 'closed', 'not a channel', 'open']) {
    batch.publish(`${where.prefix}:in:${name}`, '1')
  }
  await batch.exec()
  await heard.until(() => heard.entriesOf('open').length === 3)
  await node.stop()
  const dropped = node.lines.filter(({ message }) => message === 'raw messages dropped')
  const sum = (reason: string) =>
    dropped.reduce(
      (n, { fields }) => n + (fields.reason === reason ? Number(fields.messages) : 0),
      0,
    )
  t.equal(sum('channel_closed'), 2)
  t.equal(sum('channel_reserved'), 1)
  t.equal(sum('channel_invalid'), 1)
  t.strictSame((await everything((await startNode(t, where)).log, 'closed')).entries.length, 2)
})

t.test('name, key and ephemeral of an event object are those of the event', async (t) => {
  const where = fresh()
  const node = await startNode(t, where)
  await holder([node])
  const { log, heard } = node
  await log.follow('a')
  const client = plain(t, server.url)
  const name = `${where.prefix}:in:a`
  await client.publish(name, '{"data":{"n":1},"name":"tick","key":"k1"}')
  await client.publish(name, '{"data":{"n":1},"name":"tick","key":"k1"}')
  await client.publish(name, '{"data":2,"ephemeral":true}')
  await client.publish(name, 'plain text')
  await heard.until(() => heard.entries.length === 2)
  t.match(heard.entries, [
    { name: 'tick', data: '{"n":1}' },
    { name: 'message', data: '"plain text"' },
  ])
  t.match(heard.ephemerals, [{ data: '2' }])
})

t.test('a holder that leaves hands over: nothing is lost, nothing doubled', async (t) => {
  const where = { ...fresh(), partitions: 2 }
  const reader = plain(t, server.url)
  const nodes = [await startNode(t, where), await startNode(t, where), await startNode(t, where)]
  const first = await holder(nodes, 0)
  await holder(nodes, 1)
  const client = plain(t, server.url)
  const watcher = nodes.find((node) => node !== first)!
  const channels = ['a', 'b', 'c', 'd']
  await Promise.all(channels.map((channel) => watcher.log.follow(channel)))
  const COUNT = 3000
  let stopping: Promise<void> | undefined
  for (let n = 0; n < COUNT; n++) {
    await client.publish(`${where.prefix}:in:${channels[n % 4]}`, String(n))
    if (n === COUNT / 2) stopping = first.stop()
  }
  await stopping
  // Each is heard before the last; who took over appends in order.
  const last = channels.map((channel) => [channel, '"last"'] as const)
  await holder(
    nodes.filter((node) => node !== first),
    0,
  )
  await holder(
    nodes.filter((node) => node !== first),
    1,
  )
  for (const [channel, data] of last) await reader.publish(`${where.prefix}:in:${channel}`, data)
  await watcher.heard.until(() =>
    channels.every((channel) => dataOf(watcher.heard.entriesOf(channel)).includes('"last"')),
  )
  for (const [i, channel] of channels.entries()) {
    const sent = numbers(COUNT).filter((n) => Number(n) % 4 === i)
    const { entries } = await everything(watcher.log, channel)
    t.strictSame(dataOf(entries), [...sent, '"last"'], channel)
  }
})

t.test('a holder whose connection is cut leaves the lease to one that hears', async (t) => {
  const where = fresh()
  const nodes = [await startNode(t, where), await startNode(t, where)]
  const first = await holder(nodes)
  const second = nodes.find((node) => node !== first)!
  const client = plain(t, server.url)
  // Those that listen for raw messages; both come back, and one of them holds the lease again.
  const list = String(await client.client('LIST'))
  const ids = [...list.matchAll(/^id=(\d+) .* psub=1 /gm)].map(([, id]) => id!)
  t.ok(ids.length >= 2)
  const before = nodes.map((node) => node.lines.length)
  for (const id of ids) await client.client('KILL', 'ID', id)
  await Promise.race(
    nodes.map((node, i) =>
      node.said((line) => line.message === APPENDS && node.lines.indexOf(line) >= before[i]!),
    ),
  )
  t.ok(first.lines.some((line) => line.message === LEFT))
  await second.log.follow('a')
  await client.publish(`${where.prefix}:in:a`, '1')
  await second.heard.until(() => second.heard.entries.length === 1)
})

t.test('a user who may not subscribe costs one warning, and nothing else', async (t) => {
  const where = fresh()
  const client = plain(t, server.url)
  await client.call('ACL', 'SETUSER', 'u', 'on', '>p', '~*', `&${where.prefix}:{*`, '+@all')
  const node = await startNode(t, { ...where, url: server.url.replace('//', '//u:p@') })
  const line = await node.said(({ message }) => message.startsWith('raw messages are off'))
  t.equal(line.level, 'warn')
  t.match(line.message, `&${where.prefix}:in:*`)
  await node.said(({ message }) => message === 'inbox: this gateway reads it')
  await node.log.append([{ channel: 'a', name: 'message', data: '1' }])
  const about = node.lines.filter(({ message }) => /^(raw|the inbox|inbox)/.test(message))
  t.strictSame(
    about.filter(({ level }) => level === 'warn').map(({ message }) => message),
    [line.message],
  )
})

t.test('a dead holder is replaced within five seconds', async (t) => {
  // Its lease runs out, and whoever was told how long it lasts asks right then.
  t.ok(LEASE + RENEW < 5000)
})
