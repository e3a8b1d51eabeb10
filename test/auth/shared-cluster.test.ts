/** In a cluster tickets, owners and buckets are with several masters, and the bus is with one of them. */
import t from 'tap'
import { hashTag, slotOf } from '../../src/log/redis/slots.js'
import { startCluster } from '../support/redis-cluster.js'
import { until } from '../support/until.js'
import { startGateway } from './shared-gateway.js'

t.setTimeout(120_000)
const PARTITIONS = 4
const HOUR = 3_600_000
const cluster = await startCluster()
t.teardown(() => cluster.stop())

async function two(t: Parameters<typeof startGateway>[0], prefix: string) {
  const options = { url: cluster.url, prefix, partitions: PARTITIONS }
  return [await startGateway(t, options), await startGateway(t, options)] as const
}

t.test('gateways share over all masters', async (t) => {
  const [one, other] = await two(t, 'all')
  const names = Array.from({ length: 40 }, (_, i) => `n${i}`)
  t.equal(new Set(names.map((name) => one.log.partitionOf(name))).size, PARTITIONS)
  const soon = Date.now() + HOUR
  const rate = { amount: 3, ms: HOUR }
  for (const name of names) {
    await one.shared.issueTicket(name, `record of ${name}`, soon, soon)
    const redeemed = { kind: 'redeemed', record: `record of ${name}` }
    t.same(await other.shared.redeemTicket(name, 'mine'), redeemed)
    t.same(await one.shared.redeemTicket(name, 'theirs'), { kind: 'taken' })
    t.equal(await one.shared.claimSession(name, 'alice', HOUR), 'alice')
    t.equal(await other.shared.claimSession(name, 'bob', HOUR), 'alice')
    t.match(await one.shared.take(name, rate, 1, 2), { granted: 2 })
    t.match(await other.shared.take(name, rate, 1, 2), { granted: 1 })
    t.match(await one.shared.take(name, rate, 1, 2), { granted: 0 })
    await one.shared.revoke({ kind: 'subject', value: name, until: soon })
  }
  await other.heard.until(() => other.heard.values().length === names.length)
  other.heard.streams.add('session')
  t.equal(await one.shared.renew('session', 'x'), true)
  t.equal(await one.shared.renew('another', 'x'), false)
})

const slot = slotOf(hashTag(0, PARTITIONS))

/** Revocations and renewals go both ways again. */
async function works(
  t: Parameters<typeof startGateway>[0],
  [one, other]: Awaited<ReturnType<typeof two>>,
) {
  await until('revoked', () =>
    one.shared.revoke({ kind: 'jti', value: 'after', until: Date.now() + HOUR }).then(() => true),
  )
  await other.heard.until(() => other.heard.values().toSorted().join() === 'after,before')
  one.heard.streams.add('session')
  await until('renewed', () => other.shared.renew('session', 'x'))
  t.same(one.heard.values().toSorted(), ['after', 'before'])
}

t.test('the bus follows its slot to another master', async (t) => {
  const gateways = await two(t, 'move')
  await gateways[0].shared.revoke({ kind: 'jti', value: 'before', until: Date.now() + HOUR })
  const from = await cluster.masterOf(slot)
  const to = (await cluster.masters()).find((node) => node !== from)!
  await cluster.moveSlot(slot, to)
  await works(t, gateways)
})

t.test('and a failover that may have lost everything', async (t) => {
  const gateways = await two(t, 'failover')
  await gateways[0].shared.revoke({ kind: 'jti', value: 'before', until: Date.now() + HOUR })
  const [replica] = await cluster.replicasOf(await cluster.masterOf(slot))
  await cluster.failover(replica!, 'TAKEOVER')
  await works(t, gateways)
})
