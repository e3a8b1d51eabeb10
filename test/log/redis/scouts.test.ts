/** Of those who are asked where the masters are, the one who knows the newest counts. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Node } from '../../../src/log/redis/address.js'
import { createScouts, shared } from '../../../src/log/redis/topology-scouts.js'
import { type RedisServer, startRedis } from '../../support/redis.js'

/** Servers that know one number each, and those who ask them for it. */
async function stage(t: Test, epochs: readonly number[]) {
  const servers = await Promise.all(epochs.map(() => startRedis()))
  t.teardown(() => Promise.all(servers.map((server) => server.stop())))
  const dial = ({ host, port }: Node) =>
    new Redis(port, host, {
      lazyConnect: true,
      retryStrategy: null,
      enableReadyCheck: false,
      commandTimeout: 500,
    })
  for (const [i, server] of servers.entries()) {
    const client = dial(nodeOf(server))
    await client.set('epoch', epochs[i]!)
    client.disconnect()
  }
  const scouts = createScouts(dial, async (client) => {
    const epoch = Number(await client.get('epoch'))
    return { epoch, of: epoch }
  })
  t.teardown(() => scouts.stop())
  return { servers, scouts, nodes: servers.map(nodeOf) }
}

const nodeOf = ({ port }: RedisServer): Node => ({ host: '127.0.0.1', port })

t.test('the newest view counts, whoever answers first', async (t) => {
  const { scouts, nodes } = await stage(t, [3, 7, 5])
  t.equal(await scouts.newest(nodes), 7)
  t.equal(await scouts.newest([...nodes].reverse()), 7, 'on connections that are kept, too')
})

t.test('one that is frozen or gone holds nobody up, and is asked again', async (t) => {
  const { servers, scouts, nodes } = await stage(t, [3, 7])
  await scouts.newest(nodes)
  await servers[1]!.kill('SIGSTOP')
  t.equal(await scouts.newest(nodes), 3)
  await servers[1]!.kill('SIGCONT')
  t.equal(await scouts.newest([nodes[1]!]), 7)
  await servers[1]!.kill('SIGKILL')
  t.equal(await scouts.newest(nodes), 3)
  await servers[1]!.restart()
  t.equal(await scouts.newest([nodes[1]!]), 0, 'a new process, a new connection')
})

t.test('where nobody answers each says why', async (t) => {
  const { servers, scouts, nodes } = await stage(t, [1, 1])
  await servers[0]!.kill('SIGKILL')
  await servers[1]!.kill('SIGSTOP')
  const why = new RegExp(`:${nodes[0]!.port}: .*ECONNREFUSED.*:${nodes[1]!.port}: .*timed out`)
  await t.rejects(scouts.newest(nodes), { message: why })
  await t.rejects(scouts.newest([]), { message: /nobody to ask/ })
})

t.test('those who ask at the same time share an answer, the next ask anew', async (t) => {
  let asked = 0
  const ask = shared(async () => ++asked)
  t.same(await Promise.all([ask(), ask()]), [1, 1])
  t.equal(await ask(), 2)
})
