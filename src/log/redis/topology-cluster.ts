/** A cluster: every node knows who has which slots, as far as it has heard. */
import type { Redis } from 'ioredis'
import { type Node, nodeName } from './address.js'
import type { Topology } from './topology.js'
import { createScouts, type Dial, shared, type View } from './topology-scouts.js'

/** One run of slots and who has it: [first, last, [host, port, …], replicas …]. */
type SlotsReply = [from: number, to: number, ...nodes: [host: string | null, port: number][]][]

interface Range {
  readonly from: number
  readonly to: number
  readonly master: Node
  readonly replicas: readonly Node[]
}

/** Nodes asked at one time: the answer of a single one may be old, that of all is dear in a large cluster. */
const ASKED = 3

export function clusterTopology(seeds: readonly Node[], scout: Dial): Topology {
  /** Those met since; what was configured stays known, for it may be a name that finds others. */
  let learned: readonly Node[] = []
  let turn = 0

  async function ask(client: Redis): Promise<View<readonly Range[]>> {
    const [info, slots] = (await Promise.all([
      client.call('CLUSTER', 'INFO'),
      client.call('CLUSTER', 'SLOTS'),
    ])) as [string, SlotsReply]
    // It hasn't met the majority for a while, so it serves nothing, and others may know better.
    if (!/cluster_state:ok/.test(info)) throw new Error('cluster_state is fail')
    const ranges = slots.map(([from, to, ...nodes]): Range => {
      // Null and empty mean "where you asked" (cluster-preferred-endpoint-type unknown-endpoint): always
      // the first seed, for each node must have the same name whoever is asked.
      const [master, ...replicas] = nodes.map(([host, port]) => ({
        host: host || seeds[0]!.host,
        port: Number(port),
      }))
      return { from, to, master: master!, replicas }
    })
    return { epoch: Number(/cluster_current_epoch:(\d+)/.exec(info)?.[1] ?? 0), of: ranges }
  }

  const scouts = createScouts(scout, ask)

  /** Another few at each time, so that the dead ones among them hold nobody up for long. */
  function choose(): Node[] {
    const known = new Map([...learned, ...seeds].map((node) => [nodeName(node), node]))
    const all = [...known.values()]
    const from = turn
    turn = all.length === 0 ? 0 : (turn + 1) % all.length
    return Array.from(
      { length: Math.min(ASKED, all.length) },
      (_, i) => all[(from + i) % all.length]!,
    )
  }

  const survey = shared(async () => {
    const ranges = await scouts.newest(choose())
    learned = ranges.flatMap(({ master, replicas }) => [master, ...replicas])
    return ranges
  })

  return {
    kind: 'cluster',
    async find(slot) {
      const ranges = await survey().catch((error: Error) => {
        if (/cluster support disabled/.test(error.message)) {
          throw new Error(
            'a list of servers means a cluster, and these have no cluster support; for a master with ' +
              `replicas write redis+sentinel://host:port,…/name: ${error.message}`,
          )
        }
        throw new Error(`no node of the cluster says who has slot ${slot}: ${error.message}`)
      })
      const range = ranges.find(({ from, to }) => from <= slot && slot <= to)
      if (range === undefined) throw new Error(`no node of the cluster has slot ${slot}`)
      return range.master
    },
    stop: scouts.stop,
  }
}
