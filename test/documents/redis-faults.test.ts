/** Documents when Redis, or the way to it, fails. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { Documents } from '../../src/documents/documents.js'
import { createTransactions } from '../../src/documents/transact.js'
import { silentLogger } from '../../src/logger.js'
import { createKeeper } from '../../src/members/keeper.js'
import { dataOf, everything } from '../log/subject.js'
import { startSwitch } from '../log/switch.js'
import { startCutter } from '../support/cutter.js'
import { seeded } from '../support/random.js'
import { startRedis } from '../support/redis.js'
import { lookInto } from '../support/redis-keys.js'
import { until } from '../support/until.js'
import { startGateway } from './gateway.js'
import { applied, CLAIM, create, fieldsOf, LEASE, NAME, SHORT, said } from './subject.js'

t.setTimeout(120_000)

async function redis(t: Test, args?: readonly string[]) {
  const server = await startRedis(args === undefined ? {} : { args })
  t.teardown(() => server.stop())
  const { client, elapse } = lookInto(server.url)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return { server, client, elapse }
}

const healed = (documents: Documents) =>
  until('healed', () => documents.read(NAME).then(() => true))

t.test('a change whose connection is cut is sent again, and made once', async (t) => {
  const { server, client } = await redis(t)
  const cutter = await startCutter({
    ...{ target: server.port, random: seeded(1), budget: () => undefined },
  })
  t.teardown(() => cutter.stop())
  const { documents, log } = await startGateway(t, { url: `redis://127.0.0.1:${cutter.port}` })
  const { version } = await create(documents, { m: LEASE })
  for (let i = 0; i < 2; i++) {
    const before = await documents.read(NAME)
    const count = String(Number(before.fields.get('n') ?? 0) + 1)
    cutter.hold()
    const changing = documents.change(NAME, {
      ...{ version: before.version, set: { n: count }, drafts: [said(count)] },
      sequence: { member: 'm', first: Number(count), last: Number(count) },
    })
    // Executed, and the answer is on its way.
    const key = /:j:/
    await until('made', async () => {
      const keys = (await client.keys('*')).filter((it) => key.test(it))
      return (await client.hget(keys[0]!, 'fn')) === count
    })
    cutter.cutAll()
    cutter.release()
    t.match(await changing, { kind: 'changed', receipts: [{ duplicate: false }] })
  }
  t.not((await documents.read(NAME)).version, version)
  t.same(dataOf((await everything(log, NAME)).entries), ['1', '2'])
})

t.test(
  'steps lose nothing and double nothing over a line that is cut again and again',
  async (t) => {
    const { server } = await redis(t)
    const cutter = await startCutter({
      ...{ target: server.port, random: seeded(2), budget: () => undefined },
    })
    t.teardown(() => cutter.stop())
    const road = `redis://127.0.0.1:${cutter.port}`
    const gateways = [await startGateway(t, server), await startGateway(t, { url: road })]
    const lanes = gateways.map(({ documents }) => createTransactions(documents))
    let made = 0
    let unknown = 0
    async function work(lane: number, name: string): Promise<void> {
      for (let i = 0; i < 50; i++) {
        const step = { set: { [`${name} ${i}`]: '1' }, drafts: [said(`"${name} ${i}"`)] }
        await lanes[lane]!.transact(NAME, () => ({ change: step, answer: () => made++ })).catch(
          () => unknown++,
        )
        if (lane === 1 && i % 10 === 0) cutter.cutAll()
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, i) => work(i % 2, `w${i}`)))
    t.ok(cutter.cuts > 0)
    t.equal(made + unknown, 400)
    const { fields } = await gateways[0]!.documents.read(NAME)
    const events = dataOf((await everything(gateways[0]!.log, NAME)).entries)
    t.ok(fields.size >= made && fields.size <= made + unknown)
    t.same(
      events.map((it) => JSON.parse(it) as string).toSorted(),
      [...fields.keys()].toSorted(),
      'what is said is what is',
    )
  },
)

t.test('functions that were flushed are loaded again', async (t) => {
  const { server, client } = await redis(t)
  const { documents } = await startGateway(t, server)
  const { version } = await create(documents, { m: LEASE })
  const flush = () => client.call('FUNCTION', 'FLUSH')
  await flush()
  const changed = applied(await documents.change(NAME, { version, set: { n: '1' } }))
  await flush()
  t.same(await documents.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['held'])
  await flush()
  t.same(await documents.overdue(10, CLAIM), [])
  await flush()
  t.equal((await documents.read(NAME)).version, changed.version)
  await flush()
  const change = { version: changed.version, set: { n: '2' }, frees: true }
  t.match(await documents.change(NAME, change), { kind: 'changed' })
})

t.test('documents outlive a restart of a Redis that persists', async (t) => {
  const { server } = await redis(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const { documents } = await startGateway(t, server)
  const { version } = await create(documents, { m: LEASE })
  await documents.change(NAME, { version, sequence: { member: 'm', first: 1, last: 2 } })
  await server.restart('SIGKILL')
  await healed(documents)
  t.equal((await documents.read(NAME)).version, version)
  t.same(await documents.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['held'])
  const sequence = { member: 'm', first: 4, last: 4 }
  t.same(await documents.change(NAME, { version, sequence }), { kind: 'sequence', last: 2 })
})

t.test(
  'what was computed from a document that a wipe took doesn’t hold for the next',
  async (t) => {
    const { server } = await redis(t)
    const { documents } = await startGateway(t, server)
    const { transact } = createTransactions(documents)
    const step = (n: string) => () => ({ change: { set: { n } }, answer: () => n })
    await transact(NAME, step('1'))
    const { version } = await documents.read(NAME)
    await server.restart('SIGKILL')
    await healed(documents)
    t.equal((await documents.read(NAME)).version, 0)
    await create(documents)
    t.same(await documents.change(NAME, { version, set: { n: '2' } }), { kind: 'conflict' })
    t.equal(await transact(NAME, step('3')), '3', 'a step is taken anew')
    t.same(fieldsOf(await documents.read(NAME)), { topic: '"a"', n: '3' })
  },
)

t.test('while Redis is frozen everything is refused; awake again it goes on', async (t) => {
  const { server } = await redis(t)
  const { documents } = await startGateway(t, server)
  const { transact } = createTransactions(documents)
  const { version } = await create(documents, { m: LEASE })
  await server.kill('SIGSTOP')
  const refused = { status: 'rejected', reason: { code: 'log_unavailable' } }
  const questions = [
    documents.read(NAME),
    documents.change(NAME, { version, set: { n: '1' } }),
    documents.change(NAME, { version, set: { n: '1' }, frees: true }),
    documents.renew([{ name: NAME, member: 'm', ms: LEASE }]),
    documents.overdue(10, CLAIM),
    transact(NAME, () => ({ change: { set: { n: '1' } }, answer: () => 1 })),
  ]
  t.match(
    await Promise.allSettled(questions),
    questions.map(() => refused),
  )
  await server.kill('SIGCONT')
  await healed(documents)
  const count = () => transact(NAME, () => ({ change: { set: { n: '2' } }, answer: () => 2 }))
  await until('taken again', () => count().then(() => true))
  t.match(fieldsOf(await documents.read(NAME)), { n: '2' })
})

t.test('members of a gateway that is cut off are found by one other, and lost to it', async (t) => {
  const { server } = await redis(t)
  const road = await startSwitch(server.port)
  t.teardown(() => road.stop())
  const cut = await startGateway(t, { url: road.url })
  const others = [await startGateway(t, server), await startGateway(t, server)]
  const times = { graceMs: SHORT, leaseMs: SHORT, beatMs: 20, claimMs: CLAIM }
  const gone = new EventTarget()
  const found: string[] = []
  const lost: string[] = []
  const keepers = [cut, ...others].map(({ documents }) => {
    const keeper = createKeeper({ documents, logger: silentLogger, ...times })
    keeper.own('room:', {
      async overdue(name, member) {
        const { version } = await documents.read(name)
        const leases = [{ member, ms: 0 }]
        const change = { version, set: { [member]: 'gone' }, overdue: [member], leases }
        if ((await documents.change(name, change)).kind !== 'changed') return
        found.push(member)
        gone.dispatchEvent(new Event('gone'))
      },
      lost(_name, member) {
        lost.push(member)
        gone.dispatchEvent(new Event('lost'))
      },
    })
    keeper.start()
    t.teardown(() => keeper.stop())
    return keeper
  })
  const isGone = once(gone, 'gone')
  await create(others[0]!.documents, { m: 2 * SHORT, n: 2 * SHORT })
  keepers[0]!.hold(NAME, 'm')
  keepers[1]!.hold(NAME, 'n')
  road.to(undefined)
  await isGone
  const isLost = once(gone, 'lost')
  road.to(server.port)
  await isLost
  t.same([found, lost], [['m'], ['m']])
  t.equal(keepers[1]!.held, 1)
})
