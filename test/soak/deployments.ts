/** The three ways in which Redis is run, and what happens to each. */
import { hashTag, slotOf } from '../../src/log/redis/slots.js'
import type { Random } from '../support/random.js'
import { type RedisServer, startRedis } from '../support/redis.js'
import { ask, askText } from '../support/redis-ask.js'
import { startCluster } from '../support/redis-cluster.js'
import { startSentinels } from '../support/redis-sentinel.js'
import { until } from '../support/until.js'
import { type Fault, seconds } from './fault.js'
import type { Mode, Topology } from './options.js'

export interface Deployment {
  /** For the gateways. */
  readonly env: Readonly<{ [name: string]: string }>
  readonly partitions: number
  readonly faults: readonly Fault[]
  settled(): Promise<void>
  stop(): Promise<void>
}

/** Every write is on the disk before it is answered, or passed on. */
const DURABLE = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
const VOLATILE = ['--save', '', '--appendonly', 'no']
/**
 * ms of silence until Redis itself takes a node for dead. In lossless runs longer than any pause here:
 * a failover of a frozen master may lose what it did not pass on. Promotions are ordered there.
 */
const PATIENT = 8_000
const HASTY = 1_200

export async function deploy(topology: Topology, mode: Mode): Promise<Deployment> {
  switch (topology) {
    case 'memory':
      return { env: {}, partitions: 1, faults: [], settled: async () => {}, stop: async () => {} }
    case 'standalone':
      return standalone(mode)
    case 'sentinel':
      return sentinel(mode)
    case 'cluster':
      return cluster(mode)
  }
}

const envOf = (url: string, partitions: number) => ({
  SLUICE_REDIS_URL: url,
  SLUICE_PARTITIONS: String(partitions),
})

/** A Redis that is away, or doesn't answer, is part of the play. */
const attempt = (server: RedisServer, ...command: (string | number)[]): Promise<unknown> =>
  ask(server.port, command, 1_000).catch(() => {})

/** What may happen to any Redis at any time, and loses nothing. `masters`: those that are it now. */
function everyday(masters: () => Promise<readonly RedisServer[]>): Fault[] {
  const any = async (random: Random): Promise<RedisServer> => random.choose(await masters(), 1)[0]!
  return [
    {
      name: 'redis frozen',
      takes: 2_500,
      async run(random) {
        const server = await any(random)
        await server.kill('SIGSTOP')
        await seconds(random, 1, 4)
        await server.kill('SIGCONT')
      },
    },
    {
      name: 'redis paused',
      takes: 2_500,
      async run(random) {
        const pause = random.between(1_000, 4_000)
        const what = random.next() < 0.5 ? 'WRITE' : 'ALL'
        await attempt(await any(random), 'CLIENT', 'PAUSE', pause, what)
        await seconds(random, pause / 1_000, pause / 1_000)
      },
    },
    {
      name: 'subscribers cut',
      takes: 500,
      async run(random) {
        await attempt(await any(random), 'CLIENT', 'KILL', 'TYPE', 'pubsub')
        await seconds(random, 0.2, 0.8)
      },
    },
    {
      name: 'functions flushed',
      takes: 500,
      async run(random) {
        await attempt(await any(random), 'FUNCTION', 'FLUSH', 'SYNC')
        await seconds(random, 0.2, 0.8)
      },
    },
  ]
}

/** Whatever the topology: Redis forgets all. */
const flushed = (masters: () => Promise<readonly RedisServer[]>): Fault => ({
  name: 'flushed',
  touches: 'epoch',
  takes: 1_000,
  async run(random) {
    for (const server of await masters()) await attempt(server, 'FLUSHALL')
    await seconds(random, 0.5, 1)
  },
})

/**
 * From now on no replica follows this server, which goes on by itself; its next life knows nothing of
 * it. A frozen replica would not do: what was sent to it waits in its socket.
 */
async function forsake(server: RedisServer): Promise<void> {
  await ask(server.port, ['ACL', 'SETUSER', 'default', '-psync', '-sync', '-replconf'])
  await ask(server.port, ['CLIENT', 'KILL', 'TYPE', 'replica'])
}

async function standalone(mode: Mode): Promise<Deployment> {
  const server = await startRedis({ args: mode === 'lossless' ? DURABLE : VOLATILE })
  const masters = async () => [server]
  const restarted: Fault = {
    name: 'redis restarted',
    touches: 'epoch',
    takes: 1_500,
    async run(random) {
      if (random.next() < 0.5) await server.restart('SIGKILL')
      else await server.restart()
      await seconds(random, 0.5, 1)
    },
  }
  let snapshots = 0
  const lossy: Fault[] = [
    flushed(masters),
    {
      name: 'redis set back to a snapshot',
      touches: 'epoch',
      takes: 3_000,
      async run(random) {
        await ask(server.port, ['SAVE'])
        await seconds(random, 0.5, 2)
        await server.restart('SIGKILL')
        await seconds(random, 0.5, 1)
      },
    },
    {
      name: 'redis emptied by a restart',
      touches: 'epoch',
      takes: 1_500,
      async run(random) {
        // Another name than that of any snapshot so far.
        await server.restart('SIGKILL', ['--dbfilename', `none-${snapshots++}.rdb`])
        await seconds(random, 0.5, 1)
      },
    },
  ]
  return {
    env: envOf(server.url, 1),
    partitions: 1,
    faults: [...everyday(masters), ...(mode === 'lossy' ? lossy : [restarted])],
    settled: () => until('up', async () => (await askText(server.port, ['PING'])) === 'PONG'),
    stop: server.stop,
  }
}

async function sentinel(mode: Mode): Promise<Deployment> {
  const lossless = mode === 'lossless'
  const redis = await startSentinels({
    downAfter: lossless ? PATIENT : HASTY,
    args: lossless ? DURABLE : VOLATILE,
  })
  const masters = async () => [await redis.primary()]
  const replicaRestarted: Fault = {
    name: 'replica restarted',
    takes: 1_500,
    async run(random) {
      const replica = await redis.replica()
      await replica.kill('SIGKILL')
      await seconds(random, 0.2, 1)
      await replica.restart()
      // The Sentinels take their time to notice; the primary doesn't.
      const linked = async () => (await askText(replica.port, ['ROLE'])).includes(',connected,')
      await until('linked', linked)
    },
  }
  const promoted: Fault = {
    name: 'replica promoted',
    touches: 'epoch',
    takes: 3_000,
    run: () => redis.failover(),
  }
  const lossy: Fault[] = [
    flushed(masters),
    {
      name: 'replica promoted at once',
      touches: 'epoch',
      takes: 12_000,
      async run() {
        await redis.hardFailover()
        await redis.settled(60_000)
      },
    },
    {
      name: 'primary lost with events of its own',
      touches: 'epoch',
      takes: 12_000,
      async run(random) {
        const [primary, replica] = [await redis.primary(), await redis.replica()]
        await forsake(primary)
        await seconds(random, 0.5, 2)
        await primary.kill('SIGKILL')
        await redis.promoted(replica)
        await primary.restart()
        await redis.settled(60_000)
      },
    },
    {
      name: 'primary frozen until it is replaced',
      touches: 'epoch',
      takes: 15_000,
      async run() {
        const [primary, replica] = [await redis.primary(), await redis.replica()]
        await primary.kill('SIGSTOP')
        await redis.promoted(replica).finally(() => primary.kill('SIGCONT'))
        await redis.settled(60_000)
      },
    },
  ]
  const other = lossless ? [promoted] : lossy
  return {
    env: envOf(redis.url, 4),
    partitions: 4,
    faults: [...everyday(masters), replicaRestarted, ...other],
    settled: () => redis.settled(60_000),
    stop: redis.stop,
  }
}

async function cluster(mode: Mode): Promise<Deployment> {
  const lossless = mode === 'lossless'
  const partitions = 16
  const redis = await startCluster({
    nodeTimeout: lossless ? PATIENT : HASTY,
    args: lossless ? DURABLE : VOLATILE,
  })
  const masters = () => redis.masters()
  /** A master with a partition, and its replica. */
  const pair = async (random: Random) => {
    const slot = slotOf(hashTag(random.between(0, partitions - 1), partitions))
    const master = await redis.masterOf(slot)
    const [replica] = await redis.replicasOf(master)
    if (replica === undefined) throw new Error(`no replica of ${master.port}`)
    return { slot, master, replica }
  }
  const replaced = async (slot: number, by: RedisServer): Promise<void> =>
    until('replaced', async () => (await redis.masterOf(slot)) === by)

  const harmless: Fault[] = [
    {
      name: 'replica restarted',
      takes: 2_500,
      async run(random) {
        const { replica } = await pair(random)
        await replica.kill('SIGKILL')
        await seconds(random, 0.2, 1)
        await replica.restart()
        await redis.settled()
      },
    },
    {
      // The slot's partition goes on in another process: for its readers that is another epoch.
      name: 'slot moved',
      touches: 'epoch',
      takes: 1_500,
      async run(random) {
        const { slot, master } = await pair(random)
        const others = (await redis.masters()).filter((node) => node !== master)
        await redis.moveSlot(slot, random.choose(others, 1)[0]!, () => seconds(random, 0.1, 0.8))
      },
    },
    {
      name: 'replica promoted',
      touches: 'epoch',
      takes: 1_500,
      async run(random) {
        await redis.failover((await pair(random)).replica)
      },
    },
  ]
  const lossy: Fault[] = [
    flushed(masters),
    {
      name: 'replica promoted without asking',
      touches: 'epoch',
      takes: 3_000,
      async run(random) {
        await redis.failover((await pair(random)).replica, 'TAKEOVER')
      },
    },
    {
      name: 'master lost with events of its own',
      touches: 'epoch',
      takes: 8_000,
      async run(random) {
        const { slot, master, replica } = await pair(random)
        await forsake(master)
        await seconds(random, 0.5, 2)
        await master.kill('SIGKILL')
        await replaced(slot, replica)
        await master.restart()
        await redis.settled(60_000)
      },
    },
    {
      name: 'master frozen until it is replaced',
      touches: 'epoch',
      takes: 8_000,
      async run(random) {
        const { slot, master, replica } = await pair(random)
        await master.kill('SIGSTOP')
        await replaced(slot, replica).finally(() => master.kill('SIGCONT'))
        await redis.settled(60_000)
      },
    },
  ]
  return {
    env: envOf(redis.url, partitions),
    partitions,
    faults: [...everyday(masters), ...harmless, ...(lossless ? [] : lossy)],
    settled: () => redis.settled(60_000),
    stop: redis.stop,
  }
}
