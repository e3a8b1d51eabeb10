/** What `minReplicas` promises, with a real primary and real replicas. */
import { EventEmitter, once } from 'node:events'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createReplicas } from '../../src/log/redis/replicas.js'
import { createRedisLog, type RedisLog, type RedisLogOptions } from '../../src/log/redis.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import { askText, fields } from '../support/redis-ask.js'
import { until } from '../support/until.js'
import { createRecorder, dataOf, drafts, everything, retentionFor } from './subject.js'

const ARGS = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']

async function server(t: Test, more: readonly string[] = []): Promise<RedisServer> {
  const started = await startRedis({ args: [...ARGS, ...more] })
  t.teardown(started.stop)
  return started
}

async function replicaOf(t: Test, primary: RedisServer): Promise<RedisServer> {
  const replica = await server(t, ['--replicaof', '127.0.0.1', String(primary.port)])
  // As the primary sees it: that is what WAIT counts by.
  await until('in sync', async () => {
    const info = fields(await askText(primary.port, ['INFO', 'replication']))
    const state = `port=${replica.port},state=online,offset=${info.get('master_repl_offset')},`
    return [...info.values()].some((value) => value.includes(state))
  })
  return replica
}

interface Told {
  readonly lines: readonly string[]
  /** Resolves once a line with this text was written. */
  line(text: string): Promise<void>
}

async function open(t: Test, options: Omit<RedisLogOptions, 'retentionFor'>) {
  const lines: string[] = []
  const told = new EventEmitter()
  const note = (_fields: object, message: string) => {
    lines.push(message)
    told.emit('line')
  }
  const log: RedisLog = createRedisLog({
    retentionFor,
    checkEvery: 50,
    // Replicas are given a fifth of it, enough for a busy machine.
    appendTimeout: 5000,
    logger: { info: note, warn: note, error: note },
    ...options,
  })
  await log.start(createRecorder())
  t.teardown(log.stop)
  const heard: Told = {
    lines,
    async line(text) {
      while (!lines.some((line) => line.includes(text))) await once(told, 'line')
    },
  }
  return { log, heard, count: (text: string) => lines.filter((l) => l.includes(text)).length }
}

const keyed = (key: string) => drafts('a', 1).map((draft) => ({ ...draft, key }))

t.test('an append is answered where a replica has it', async (t) => {
  const primary = await server(t)
  const replica = await replicaOf(t, primary)
  const { log } = await open(t, { url: primary.url, minReplicas: 1 })
  for (let i = 0; i < 20; i++) await log.append(drafts('a', 1, i))
  await primary.kill('SIGKILL')
  // Whatever had been answered was there before.
  const keys = await askText(replica.port, ['KEYS', '*:s:a'])
  t.equal(await askText(replica.port, ['XLEN', keys]), '20')
})

t.test('while the replica stands still, appends are refused and repetitions too', async (t) => {
  const primary = await server(t)
  const replica = await replicaOf(t, primary)
  const { log, heard, count } = await open(t, {
    url: primary.url,
    minReplicas: 1,
  })
  const [first] = await log.append(drafts('a', 1))
  await replica.kill('SIGSTOP')
  await t.rejects(log.append(keyed('k')), { code: 'log_unavailable' })
  t.equal(log.fault(), 'partition 0: 1 replica wanted, 0 there')
  await t.rejects(log.append(keyed('k')), { code: 'log_unavailable' })
  t.strictSame(dataOf((await everything(log, 'a')).entries), ['0', '0'], 'what is there is read')
  for (let i = 0; i < 5; i++) await log.check()

  await replica.kill('SIGCONT')
  await heard.line('enough replicas again')
  t.equal(log.fault(), undefined)
  const [again] = await log.append(keyed('k'))
  t.equal(again?.duplicate, true, 'it was written once')
  t.ok(again!.position!.order > first!.position!.order)
  t.equal(count('too few replicas'), 1, 'one line for each change')
  t.equal(count('enough replicas'), 1)
  t.equal(count('connection lost'), 0, 'questions had their answers in time')
})

t.test('a log with fewer replicas than wanted starts, and says so', async (t) => {
  const primary = await server(t)
  await replicaOf(t, primary)
  const { log, heard } = await open(t, { url: primary.url, minReplicas: 2 })
  t.match(log.fault(), /2 replicas wanted/, 'also before it has counted')
  await heard.line('too few replicas')
  // A replica that was slow to answer is counted the next time.
  await until('counted', () => log.fault() === 'partition 0: 2 replicas wanted, 1 there')
  await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
  await replicaOf(t, primary)
  await heard.line('enough replicas again')
  t.equal(log.fault(), undefined)
  await t.resolves(log.append(drafts('a', 1)))
})

t.test('a user who may not WAIT is told so', async (t) => {
  const primary = await server(t)
  await replicaOf(t, primary)
  await askText(primary.port, ['ACL', 'SETUSER', 'w', 'on', '>p', '~*', '&*', '+@all', '-wait'])
  const url = `redis://w:p@127.0.0.1:${primary.port}`
  const { log, heard } = await open(t, { url, minReplicas: 1 })
  await heard.line('too few replicas')
  t.match(log.fault(), /1 replica wanted, NOPERM .*wait/)
  await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
})

t.test('where functions are loaded anew, replicas are asked behind the call', async (t) => {
  const primary = await server(t)
  const replica = await replicaOf(t, primary)
  const client = new Redis(primary.url)
  t.teardown(() => client.disconnect())
  const { log } = await open(t, { url: primary.url, minReplicas: 1, checkEvery: 3_600_000 })
  await log.append(drafts('a', 1))
  await client.call('FUNCTION', 'FLUSH')
  await client.wait(1, 1000)
  await t.resolves(log.append(drafts('a', 1)))
  await client.call('FUNCTION', 'FLUSH')
  await client.wait(1, 1000)
  await replica.kill('SIGSTOP')
  await t.rejects(log.append(drafts('a', 1)), { code: 'log_unavailable' })
})

t.test('replicas that had hardly any time are not said to be missing', async (t) => {
  const primary = await server(t)
  const replica = await replicaOf(t, primary)
  const client = new Redis(primary.url)
  t.teardown(() => client.disconnect())
  const logger = { info() {}, warn() {}, error() {} }
  const replicas = createReplicas({ wanted: 1, patience: 500, steady: 0, partition: 0, logger })
  t.equal(await replicas.confirm(client), true)
  await replica.kill('SIGSTOP')
  await client.set('x', '1')
  t.equal(await replicas.confirm(client, 1), false)
  t.equal(replicas.fault, undefined)
  t.equal(await replicas.confirm(client), false)
  t.equal(replicas.fault, '1 replica wanted, 0 there')
})
