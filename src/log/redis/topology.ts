/**
 * Which server is the master that has a slot. Whoever connects asks anew each time: an answer kept
 * over a failure would lead back to the server that failed.
 */
import type { Address, Node } from './address.js'
import { clusterTopology } from './topology-cluster.js'
import type { Dial } from './topology-scouts.js'
import { sentinelTopology } from './topology-sentinel.js'

export interface Topology {
  readonly kind: Address['kind']
  /** The master that has the slot, as it is known now. Rejects where nobody says. */
  find(slot: number): Promise<Node>
  stop(): void
}

export function createTopology(address: Address, scout: Dial): Topology {
  if (address.kind === 'cluster') return clusterTopology(address.nodes, scout)
  if (address.kind === 'sentinel') return sentinelTopology(address, scout)
  const node = address.nodes[0]!
  return { kind: 'one', find: async () => node, stop() {} }
}
