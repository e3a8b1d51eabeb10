/** In a cluster raw messages, the inbox, what is rejected and the partitions are with several masters. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { slotOf } from '../../src/log/redis/slots.js'
import { dataOf, everything } from '../log/subject.js'
import { startCluster } from '../support/redis-cluster.js'
import { APPENDS, type Node, numbers, startNode } from './stage.js'

t.setTimeout(300_000)
const PARTITIONS = 6
const CHANNELS = numbers(12).map((n) => `c:${n}`)
const cluster = await startCluster()
t.teardown(() => cluster.stop())

/** A publisher's client, which finds its way as clients of clusters do. */
function publisher(t: Test) {
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  const client = new Redis.Cluster(nodes)
  t.teardown(() => client.disconnect())
  return client
}

async function following(t: Test, prefix: string, count: number): Promise<[Node, ...Node[]]> {
  const options = { url: cluster.url, prefix, partitions: PARTITIONS }
  const first = await startNode(t, options)
  const others = []
  for (let i = 1; i < count; i++) others.push(await startNode(t, options))
  await Promise.all(CHANNELS.map((channel) => first.log.follow(channel)))
  return [first, ...others]
}

const allHeld = (node: Node) =>
  Promise.all(
    numbers(PARTITIONS).map((n) =>
      node.said(({ message, fields }) => message === APPENDS && fields.partition === Number(n)),
    ),
  )

async function complete(node: Node): Promise<void> {
  await node.heard.until(() =>
    CHANNELS.every((channel) => dataOf(node.heard.entriesOf(channel)).includes('"last"')),
  )
}

t.test('a raw message is appended once, whichever node it was published on', async (t) => {
  const [node, other] = await following(t, 'raw', 2)
  await allHeld(node)
  const masters = (await cluster.masters()).map(({ url }) => new Redis(url))
  t.teardown(() => {
    for (const master of masters) master.disconnect()
  })
  const say = async (n: number, data: string) =>
    masters[n % masters.length]!.publish(`raw:in:${CHANNELS[n % CHANNELS.length]}`, data)
  // A channel's messages are all published on one node: between nodes a cluster has no order.
  for (let n = 0; n < 600; n++) await say(n, String(n))
  for (const [n] of CHANNELS.entries()) await say(n, '"last"')
  await complete(node)
  for (const [i, channel] of CHANNELS.entries()) {
    const sent = numbers(600).filter((n) => Number(n) % CHANNELS.length === i)
    t.strictSame(dataOf((await everything(other!.log, channel)).entries), [...sent, '"last"'])
  }
})

t.test('entries of the inbox arrive once and in order over failovers of its master', async (t) => {
  const nodes = await following(t, 'box', 2)
  const [node] = nodes
  const client = publisher(t)
  const leave = async (n: number, data: string) =>
    client.xadd('box:inbox', '*', 'channel', CHANNELS[n % CHANNELS.length]!, 'data', data)
  const slot = slotOf('box:inbox')
  for (let n = 0; n < 900; n++) {
    await leave(n, String(n))
    if (n % 300 !== 150) continue
    const [replica] = await cluster.replicasOf(await cluster.masterOf(slot))
    await cluster.failover(replica!)
  }
  await client.xadd('box:inbox', '*', 'channel', 'run:1', 'data', '1')
  for (const [n] of CHANNELS.entries()) await leave(n, '"last"')
  await complete(node)
  for (const [i, channel] of CHANNELS.entries()) {
    const sent = numbers(900).filter((n) => Number(n) % CHANNELS.length === i)
    t.strictSame(dataOf((await everything(node.log, channel)).entries), [...sent, '"last"'])
  }
  await Promise.all(nodes.map((each) => each.stop()))
  t.equal(await client.xlen('box:inbox:rejected'), 1)
})
