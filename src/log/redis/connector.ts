/** Ways to the servers: what one address means, who is the master of a slot, clients for it. */
import { Redis, type RedisOptions } from 'ioredis'
import { type Address, type Node, readAddress, shown } from './address.js'
import { firstContact, identify } from './contact.js'
import { FIND_TIMEOUT } from './limits.js'
import { createTopology, type Topology } from './topology.js'

export interface DialOptions {
  /** What the connection is called in CLIENT LIST. */
  readonly name: string
  /** ms until an unanswered command is given up. */
  readonly timeout: number
}

export interface Connector {
  /** The address for messages, without a password. */
  readonly name: string
  /** What all names in Redis begin with: Pub/Sub knows no databases, so their number is part of it. */
  readonly prefix: string
  /** Whether the master may be another one tomorrow. */
  movable(): boolean
  /** Finds out what a single address means. Once, before anything is found. */
  explore(deadline: number): Promise<void>
  /** The master that has the slot, asked anew. */
  find(slot: number): Promise<Node>
  /**
   * A client for one connection, which connects when told to, once: whoever holds it connects anew and
   * sends again, not the client.
   */
  dial(node: Node, options: DialOptions): Redis
  stop(): void
}

/** Throws an AddressError. */
export function createConnector(url: string, prefix: string): Connector {
  const address = readAddress(url)
  let topology: Topology = createTopology(address, scout)

  function client(node: Node, own: Omit<RedisOptions, 'replyMapping'>): Redis {
    return new Redis({
      ...node,
      ...(address.tls && { tls: {} }),
      lazyConnect: true,
      retryStrategy: null,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      ...own,
    })
  }

  function scout(node: Node): Redis {
    return client(node, {
      ...(address.kind === 'sentinel' ? address.sentinelAccess : address.access),
      enableReadyCheck: false,
      commandTimeout: FIND_TIMEOUT,
      connectionName: `${prefix}-scout`,
    })
  }

  function dial(node: Node, { name, timeout }: DialOptions): Redis {
    return client(node, {
      ...address.access,
      db: address.db,
      enableOfflineQueue: false,
      commandTimeout: timeout,
      connectionName: name,
    })
  }

  return {
    name: shown(address),
    prefix: address.db === 0 ? prefix : `${prefix}:db${address.db}`,
    movable: () => topology.kind !== 'one',
    async explore(deadline) {
      if (address.kind !== 'one') return
      const options = { name: `${prefix}-scout`, timeout: FIND_TIMEOUT }
      const connect = async () => dial(address.nodes[0]!, options)
      const { mode } = await firstContact(connect, deadline, identify)
      if (mode !== 'cluster') return
      if (address.db !== 0) throw new Error('it is a cluster, which has no database but 0')
      const cluster: Address = { ...address, kind: 'cluster' }
      topology = createTopology(cluster, scout)
    },
    find: (slot) => topology.find(slot),
    dial,
    stop: () => topology.stop(),
  }
}
