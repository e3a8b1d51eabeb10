/** A real Redis Cluster for one test file: masters with their replicas on free ports of this machine. */
import { freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis.js'
import { ask, askText, fields } from './redis-ask.js'
import { until } from './until.js'

const SLOTS = 16_384

export interface ClusterNode extends RedisServer {
  /** What the cluster calls it. */
  readonly id: string
}

export interface ClusterOptions {
  /** Default 3. */
  readonly masters?: number
  /** Per master. Default 1. */
  readonly replicas?: number
  /** ms of silence after which a node is taken for dead, and its replica promoted. Default 1500. */
  readonly nodeTimeout?: number
  /** More arguments for each server. Default: no persistence. */
  readonly args?: readonly string[]
}

export interface RedisCluster {
  /** All nodes; at first the masters in the order of their slots, then their replicas. */
  readonly nodes: readonly ClusterNode[]
  /** All nodes, as the gateway takes them: a list with commas. */
  readonly url: string
  /** The nodes that take themselves for masters now. Those that are gone or frozen aren't asked. */
  masters(): Promise<ClusterNode[]>
  /** Of a master. */
  replicasOf(master: ClusterNode): Promise<ClusterNode[]>
  /** The owner of a slot now. Throws where nobody claims it. */
  masterOf(slot: number): Promise<ClusterNode>
  /**
   * Makes a replica its master's successor by CLUSTER FAILOVER, which loses nothing; resolves when
   * all running nodes know. With FORCE or TAKEOVER the master isn't asked, and may have more.
   */
  failover(replica: ClusterNode, how?: 'FORCE' | 'TAKEOVER'): Promise<void>
  /**
   * Moves a slot with its keys. `halfway` is called when half of the keys are on the other side, in
   * the middle of the migration (the first and only key stays for that long).
   */
  moveSlot(slot: number, to: ClusterNode, halfway?: () => Promise<void>): Promise<void>
  /** Resolves when every running node says that all is well, and each replica follows its master. */
  settled(timeout?: number): Promise<void>
  stop(): Promise<void>
}

/** What a node says of itself in CLUSTER NODES. */
interface Self {
  readonly node: ClusterNode
  readonly master: boolean
  /** The id of its master. */
  readonly masterId: string
  readonly epoch: number
  readonly slots: readonly (readonly [from: number, to: number])[]
}

export async function startCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicas = 1, nodeTimeout = 1_500 } = options
  const nodes: ClusterNode[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    await Promise.all(
      Array.from({ length: masters * (1 + replicas) }, async (_, i) => {
        const busPort = await freePort()
        const args = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)]
        args.push('--cluster-node-timeout', String(nodeTimeout))
        // A replica stays with its master, and may always be promoted, however long it was cut off.
        args.push(
          '--cluster-allow-replica-migration',
          'no',
          '--cluster-replica-validity-factor',
          '0',
        )
        args.push('--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1')
        args.push(...(options.args ?? ['--save', '', '--appendonly', 'no']))
        const server = await startRedis({ args })
        const id = await askText(server.port, ['CLUSTER', 'MYID'])
        // The getters of the server must stay getters.
        nodes[i] = Object.defineProperties({} as ClusterNode, {
          ...Object.getOwnPropertyDescriptors(server),
          id: { value: id },
          busPort: { value: busPort },
        })
      }),
    )
    await join(nodes as (ClusterNode & { busPort: number })[], masters)
  } catch (error) {
    await stop()
    throw error
  }
  const cluster = operate(nodes, stop)
  await cluster.settled()
  return cluster
}

/** Slots in equal shares, acquaintance, and a master for each replica. */
async function join(nodes: readonly (ClusterNode & { busPort: number })[], masters: number) {
  const first = nodes[0]!
  await Promise.all(
    nodes.map(async ({ port, busPort }, i) => {
      await ask(port, ['CLUSTER', 'SET-CONFIG-EPOCH', i + 1])
      if (i < masters) {
        const from = Math.ceil((i * SLOTS) / masters)
        const to = Math.ceil(((i + 1) * SLOTS) / masters) - 1
        await ask(port, ['CLUSTER', 'ADDSLOTSRANGE', from, to])
      }
      if (i > 0) await ask(first.port, ['CLUSTER', 'MEET', '127.0.0.1', port, busPort])
    }),
  )
  await Promise.all(
    nodes.map(async ({ port }, i) => {
      const all = async (): Promise<boolean> =>
        (await askText(port, ['CLUSTER', 'NODES'])).split('\n').filter((line) => {
          return line !== '' && !line.includes('handshake')
        }).length === nodes.length
      await until('acquainted', all)
      if (i >= masters) await ask(port, ['CLUSTER', 'REPLICATE', nodes[i % masters]!.id])
    }),
  )
}

function operate(nodes: readonly ClusterNode[], stop: () => Promise<void>): RedisCluster {
  /** Whoever doesn't answer at once is left out: dead or frozen nodes are part of the play. */
  const selves = async (): Promise<Self[]> => {
    const asked = nodes.map(async (node): Promise<Self | undefined> => {
      if (!node.running) return undefined
      try {
        const text = await askText(node.port, ['CLUSTER', 'NODES'], 1_000)
        const line = text.split('\n').find((each) => each.includes('myself'))!
        const [, , flags, masterId, , , epoch, , ...slots] = line.split(' ')
        return {
          ...{ node, masterId: masterId!, epoch: Number(epoch) },
          master: flags!.includes('master'),
          slots: slots
            .filter((range) => !range.startsWith('['))
            .map((range) => range.split('-').map(Number))
            .map(([from, to]) => [from!, to ?? from!] as const),
        }
      } catch {
        return undefined
      }
    })
    return (await Promise.all(asked)).filter((self) => self !== undefined)
  }

  const masterOf = async (slot: number): Promise<ClusterNode> => {
    // A master that was cut off still claims its slots; the later epoch is right.
    const owners = (await selves())
      .filter(({ master, slots }) => master && slots.some(([a, b]) => a <= slot && slot <= b))
      .sort((a, b) => b.epoch - a.epoch)
    if (owners[0] === undefined) throw new Error(`nobody has slot ${slot}`)
    return owners[0].node
  }

  const settled = (timeout?: number): Promise<void> =>
    until(
      'settled',
      async () => {
        const running = nodes.filter((node) => node.running)
        const views = await Promise.all(running.map(view))
        // A node that was away may still take itself for a master, with no slots left to it.
        const owners = new Set(views.map((each) => each.owners))
        return (
          owners.size === 1 &&
          views.every(({ well, role, id, owners }) => {
            return well && (role === 'master') === owners.includes(id)
          })
        )
      },
      timeout,
    )

  return {
    nodes,
    url: nodes.map(({ url }) => url).join(','),
    masterOf,
    settled,
    stop,
    async masters() {
      return (await selves()).filter(({ master }) => master).map(({ node }) => node)
    },
    async replicasOf(master) {
      return (await selves())
        .filter(({ masterId }) => masterId === master.id)
        .map(({ node }) => node)
    },
    async failover(replica, how) {
      await until('promoted', async () => {
        const self = (await selves()).find(({ node }) => node === replica)
        if (self === undefined) throw new Error('the replica does not answer')
        if (self.master) return true
        // Asked again where an election came to nothing: the master's patience is five seconds.
        await ask(replica.port, ['CLUSTER', 'FAILOVER', ...(how === undefined ? [] : [how])])
        const master = async () => (await askText(replica.port, ['ROLE'])).startsWith('master')
        await until('promoted', master, 6_000).catch(() => {})
        return master()
      })
      await settled()
    },
    async moveSlot(slot, to, halfway) {
      const from = await masterOf(slot)
      if (from === to) return
      await ask(to.port, ['CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id])
      await ask(from.port, ['CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id])
      const keys = async (): Promise<string[]> =>
        (await ask(from.port, ['CLUSTER', 'GETKEYSINSLOT', slot, 10_000])) as string[]
      const migrate = async (some: readonly string[]): Promise<void> => {
        if (some.length === 0) return
        const target = ['127.0.0.1', to.port, '', 0, 5_000, 'KEYS'] as const
        await ask(from.port, ['MIGRATE', ...target, ...some], 10_000)
      }
      if (halfway !== undefined) {
        const all = await keys()
        await migrate(all.slice(0, Math.floor(all.length / 2)))
        await halfway()
      }
      for (let rest = await keys(); rest.length > 0; rest = await keys()) {
        for (let i = 0; i < rest.length; i += 50) await migrate(rest.slice(i, i + 50))
      }
      // The new owner first: between the two the slot has an owner, never none.
      await ask(to.port, ['CLUSTER', 'SETSLOT', slot, 'NODE', to.id])
      await ask(from.port, ['CLUSTER', 'SETSLOT', slot, 'NODE', to.id])
      await settled()
    },
  }
}

/** How things stand, as one node sees it. */
async function view({ port, id }: ClusterNode) {
  const info = fields(await askText(port, ['CLUSTER', 'INFO']))
  const replication = fields(await askText(port, ['INFO', 'replication']))
  const linked = (replication.get('master_link_status') ?? 'up') === 'up'
  const slots = (await ask(port, ['CLUSTER', 'SLOTS'])) as [
    number,
    number,
    [string, number, string],
  ][]
  // Who owns what is for all to agree on; the replicas of a slot are listed in any order.
  const owners = slots
    .map(([from, to, [, , owner]]) => `${from}-${to} ${owner}`)
    .sort()
    .join(', ')
  const well = info.get('cluster_state') === 'ok' && linked
  return { id, well, role: replication.get('role')!, owners }
}
