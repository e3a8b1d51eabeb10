/** A real primary with its replica, and three Sentinels that watch them, for one test file. */
import { type RedisServer, startRedis } from './redis.js'
import { ask, askText, fields } from './redis-ask.js'
import { until } from './until.js'

const NAME = 'sluice-test'

export interface SentinelOptions {
  /** ms of silence after which a primary is taken for dead. Default 1000. */
  readonly downAfter?: number
  /** ms; Default 5000. */
  readonly failoverTimeout?: number
  /** More arguments for primary and replica. Default: no persistence. */
  readonly args?: readonly string[]
}

export interface SentinelRedis {
  /** As the gateway takes it. */
  readonly url: string
  /** Primary and replica, as they were at the start. */
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** The one that most Sentinels name now. */
  primary(): Promise<RedisServer>
  /** The other one. */
  replica(): Promise<RedisServer>
  /**
   * Promotes the replica on demand; resolves when the old primary follows the new one. Nothing is
   * lost: writes are held back until the replica has all, and the old primary is told at once.
   * (By itself Sentinel tells it some ten seconds later, and what it accepts until then is lost.)
   */
  failover(): Promise<void>
  /** SENTINEL FAILOVER alone, with what it may lose; resolves when the Sentinels name the new one. */
  hardFailover(): Promise<void>
  /** Resolves when all running Sentinels name this server, and it is a primary. */
  promoted(server: RedisServer, timeout?: number): Promise<void>
  /** Resolves when all running servers and Sentinels agree, and the replica has what the primary has. */
  settled(timeout?: number): Promise<void>
  stop(): Promise<void>
}

export async function startSentinels(options: SentinelOptions = {}): Promise<SentinelRedis> {
  const { downAfter = 1_000, failoverTimeout = 5_000 } = options
  const persistence = options.args ?? ['--save', '', '--appendonly', 'no']
  const args = [
    '--repl-diskless-sync-delay',
    '0',
    '--repl-ping-replica-period',
    '1',
    ...persistence,
  ]
  const started: RedisServer[] = []
  const start = async (what: Parameters<typeof startRedis>[0]): Promise<RedisServer> => {
    const server = await startRedis(what)
    started.push(server)
    return server
  }
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()))
  }
  try {
    const [first, second] = await Promise.all([start({ args }), start({ args })])
    await ask(second!.port, ['REPLICAOF', '127.0.0.1', first!.port])
    await until('in sync', () => linked(second!))
    const config = [
      `sentinel monitor ${NAME} 127.0.0.1 ${first!.port} 2`,
      `sentinel down-after-milliseconds ${NAME} ${downAfter}`,
      `sentinel failover-timeout ${NAME} ${failoverTimeout}`,
    ]
    const watching = { config, args: ['--sentinel'] }
    const sentinels = await Promise.all([start(watching), start(watching), start(watching)])
    const redis = operate([first!, second!], sentinels, stop)
    await redis.settled()
    return redis
  } catch (error) {
    await stop()
    throw error
  }
}

async function replication(server: RedisServer): Promise<Map<string, string>> {
  return fields(await askText(server.port, ['INFO', 'replication']))
}

async function linked(server: RedisServer): Promise<boolean> {
  return (await replication(server)).get('master_link_status') === 'up'
}

/** Whether the replica has every byte that its primary has sent. */
async function level(primary: RedisServer, replica: RedisServer): Promise<boolean> {
  const [above, below] = await Promise.all([replication(primary), replication(replica)])
  return (
    below.get('master_link_status') === 'up' &&
    below.get('master_port') === String(primary.port) &&
    above.get('master_repl_offset') === below.get('slave_repl_offset')
  )
}

function operate(
  servers: readonly RedisServer[],
  sentinels: readonly RedisServer[],
  stop: () => Promise<void>,
): SentinelRedis {
  /** The port that each running Sentinel names; a frozen one isn't waited for. */
  const named = async (): Promise<number[]> => {
    const asked = sentinels
      .filter((sentinel) => sentinel.running)
      .map(async ({ port }) => {
        const address = await ask(port, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME], 1_000)
        return Number((address as string[])[1])
      })
    const settled = await Promise.allSettled(asked)
    return settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  }
  const primary = async (): Promise<RedisServer> => {
    const ports = await named()
    const votes = (port: number): number => ports.filter((each) => each === port).length
    const [best] = [...servers].sort((a, b) => votes(b.port) - votes(a.port))
    if (votes(best!.port) === 0) throw new Error('no Sentinel answers')
    return best!
  }
  const other = (server: RedisServer): RedisServer => servers.find((each) => each !== server)!

  const promoted = (server: RedisServer, timeout?: number): Promise<void> =>
    until(
      'promoted',
      async () =>
        (await named()).every((port) => port === server.port) &&
        (await replication(server)).get('role') === 'master',
      timeout,
    )
  const settled = (timeout?: number): Promise<void> =>
    until(
      'settled',
      async () => {
        const master = await primary()
        if (!(await named()).every((port) => port === master.port)) return false
        const replica = other(master)
        if (replica.running && !(await level(master, replica))) return false
        const known = await Promise.all(
          sentinels
            .filter(({ running }) => running)
            .map(async ({ port }) => {
              const list = (await ask(port, ['SENTINEL', 'MASTER', NAME])) as string[]
              const value = (name: string): string => list[list.indexOf(name) + 1] ?? ''
              const others = value('num-other-sentinels') === String(sentinels.length - 1)
              return others && value('num-slaves') === '1' && value('flags') === 'master'
            }),
        )
        return known.every(Boolean)
      },
      timeout,
    )

  /** A Sentinel refuses while it remembers a failover that isn't over, or doesn't know a replica well. */
  const order = (from: RedisServer): Promise<void> =>
    until('under way', async () => {
      if ((await named()).some((port) => port !== from.port)) return true
      await ask(sentinels.find((each) => each.running)!.port, ['SENTINEL', 'FAILOVER', NAME])
      return true
    })

  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${NAME}`,
    servers,
    sentinels,
    primary,
    replica: async () => other(await primary()),
    promoted,
    settled,
    stop,
    async failover() {
      const from = await primary()
      const to = other(from)
      await settled()
      await ask(from.port, ['CLIENT', 'PAUSE', 30_000, 'WRITE'])
      try {
        await until('level', () => level(from, to))
        await order(from)
        await promoted(to)
        await ask(from.port, ['REPLICAOF', '127.0.0.1', to.port])
      } finally {
        await ask(from.port, ['CLIENT', 'UNPAUSE'])
      }
      await settled()
    },
    async hardFailover() {
      const from = await primary()
      await order(from)
      await promoted(other(from))
    },
  }
}
