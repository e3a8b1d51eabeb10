/** Gateways that keep their documents on one Redis. */
import t from 'tap'
import { KEEP_MS } from '../../src/documents/documents.js'
import { createTransactions } from '../../src/documents/transact.js'
import { everything } from '../log/subject.js'
import { startRedis } from '../support/redis.js'
import { baseOf, lookInto } from '../support/redis-keys.js'
import { until } from '../support/until.js'
import { documentsContract } from './contract.js'
import { startGateway } from './gateway.js'
import { applied, CLAIM, create, fieldsOf, LEASE, NAME, SHORT, said } from './subject.js'

const server = await startRedis()
t.teardown(() => server.stop())
const { client, elapse } = lookInto(server.url)
t.teardown(() => client.disconnect())

let prefixes = 0
for (const partitions of [1, 4]) {
  await documentsContract(t, `redis, ${partitions} partitions`, async () => {
    const options = { url: server.url, prefix: `t${++prefixes}`, partitions }
    const stops: (() => unknown)[] = []
    const until = { teardown: (stop: () => unknown) => void stops.push(stop) }
    const one = await startGateway(until, options)
    const other = await startGateway(until, options)
    return {
      ...{ one: one.documents, other: other.documents, log: one.log, heard: one.heard, elapse },
      async stop() {
        await Promise.all(stops.map((stop) => stop()))
      },
    }
  })
}

t.test('a document leaves nothing behind', async (t) => {
  const { documents } = await startGateway(t, { url: server.url, prefix: 'left' })
  const base = baseOf('left')
  const before = await client.keys(`${base}:*`)
  const { version } = await create(documents, { a: LEASE, b: LEASE })
  const sequence = { member: 'a', first: 1, last: 1 }
  await documents.change(NAME, { version, sequence, leases: [{ member: 'b', ms: 0 }] })
  const left = await client.pttl(`${base}:j:${NAME}`)
  t.ok(left > KEEP_MS - 60_000 && left <= KEEP_MS)
  await documents.change(NAME, { version, set: { topic: null } })
  const added = (await client.keys(`${base}:*`)).filter((key) => !before.includes(key))
  t.same(
    added.filter((key) => !key.startsWith(`${base}:p:`)),
    [],
  )
})

t.test('a sign of life keeps a document, too', async (t) => {
  const { documents } = await startGateway(t, { url: server.url, prefix: 'kept' })
  await create(documents, { m: LEASE })
  const key = `${baseOf('kept')}:j:${NAME}`
  await client.pexpire(key, 10_000)
  await documents.renew([{ name: NAME, member: 'm', ms: LEASE }])
  t.ok((await client.pttl(key)) > KEEP_MS - 60_000)
})

t.test('leases of a document that expired are cleared away', async (t) => {
  const { documents } = await startGateway(t, { url: server.url, prefix: 'expired' })
  await create(documents, { m: SHORT })
  const base = baseOf('expired')
  await client.del(`${base}:j:${NAME}`)
  await elapse(SHORT)
  t.same(await documents.overdue(10, CLAIM), [])
  t.equal(await client.exists(`${base}:jl`), 0)
})

t.test('a key of another type refuses its own document only', async (t) => {
  const { documents } = await startGateway(t, { url: server.url, prefix: 'foreign' })
  await client.set(`${baseOf('foreign')}:j:${NAME}`, 'x')
  const set = { n: '1' }
  const answers = await Promise.allSettled([
    documents.change(NAME, { version: 0, set }),
    documents.change('room:other', { version: 0, set }),
  ])
  t.match(answers, [
    { status: 'rejected', reason: { code: 'log_unavailable' } },
    { value: { kind: 'changed' } },
  ])
})

t.test('a full Redis lets leave, and nobody else do anything', async (t) => {
  const own = await startRedis()
  t.teardown(() => own.stop())
  const { documents, log } = await startGateway(t, own)
  const { version } = await create(documents, { m: LEASE, late: SHORT })
  await log.append([{ channel: 'inbox:r:i1', name: 'said', data: '1' }])
  const admin = lookInto(own.url)
  t.teardown(() => admin.client.disconnect())
  await admin.client.config('SET', 'maxmemory', '1')
  const refused = t.rejects(documents.change(NAME, { version, set: { n: '1' } }), {
    code: 'log_unavailable',
  })
  await until('known to be full', () => /OOM/.test(log.fault() ?? ''))
  t.same(await documents.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['held'])
  await admin.elapse(SHORT)
  t.same(await documents.overdue(10, CLAIM), [{ name: NAME, member: 'late' }])
  const left = applied(
    await documents.change(NAME, {
      ...{ version, frees: true, set: { more: '1' }, overdue: ['late'] },
      ...{ leases: [{ member: 'late', ms: 0 }], drafts: [said('1')], deletes: ['inbox:r:i1'] },
    }),
  )
  t.match(await documents.read(NAME), { version: left.version })
  t.equal((await everything(log, NAME)).entries.length, 1)
  t.equal((await log.info('inbox:r:i1'))!.events, 0)
  await refused
  t.match(log.fault(), /OOM/, 'it isn’t taken for one that has room')
})

t.test('five hundred joinings at once are a few writes', async (t) => {
  const { documents, log } = await startGateway(t, { url: server.url, prefix: 'many' })
  const { transact } = createTransactions(documents)
  await client.call('CONFIG', 'RESETSTAT')
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: 500 }, (_, i) =>
      transact(NAME, () => ({
        change: {
          set: { [`participant ${i}`]: JSON.stringify({ id: `p${i}`, data: 'x'.repeat(100) }) },
          leases: [{ member: `i${i}`, ms: LEASE }],
          drafts: [said(String(i), `k${i}`)],
        },
        answer: (outcome) => outcome.kind,
      })),
    ),
  )
  t.comment(`500 in ${Math.round(performance.now() - begun)} ms`)
  const stats = await client.info('commandstats')
  const calls = Number(/cmdstat_fcall:calls=(\d+)/.exec(stats)?.[1])
  t.comment(`${calls} calls`)
  t.ok(calls < 25)
  t.equal((await documents.read(NAME)).fields.size, 500)
  t.equal((await everything(log, NAME)).entries.length, 500)
})

t.test('fields that look like the store’s own are the caller’s', async (t) => {
  const { documents } = await startGateway(t, { url: server.url, prefix: 'names' })
  const set = { v: '1', n: '2', lm: '3', sm: '4', f: '5' }
  const { version } = applied(
    await documents.change(NAME, { version: 0, set, leases: [{ member: 'm', ms: LEASE }] }),
  )
  t.same(fieldsOf(await documents.read(NAME)), set)
  await documents.change(NAME, { version, set: { v: null, n: null, lm: null, sm: null, f: null } })
  t.equal((await documents.read(NAME)).version, 0)
})
