/** One master and its replicas, watched by sentinels, which are asked who it is. */
import type { Redis } from 'ioredis'
import type { Address, Node } from './address.js'
import type { Topology } from './topology.js'
import { createScouts, type Dial, shared, type View } from './topology-scouts.js'

export function sentinelTopology({ nodes, master }: Address, scout: Dial): Topology {
  /** Its configuration epoch comes with it: a sentinel that slept names the master of yesterday. */
  async function ask(sentinel: Redis): Promise<View<Node>> {
    const reply = (await sentinel.call('SENTINEL', 'MASTER', master)) as unknown
    const facts = factsOf(reply)
    const host = facts.get('ip')
    const port = Number(facts.get('port'))
    if (host === undefined || !(port > 0)) throw new Error('an answer that is none')
    return { epoch: Number(facts.get('config-epoch') ?? 0), of: { host, port } }
  }

  const scouts = createScouts(scout, ask)
  const survey = shared(() => scouts.newest(nodes))
  return {
    kind: 'sentinel',
    find: () =>
      survey().catch((error: Error) => {
        throw new Error(`no sentinel says who the master is: ${error.message}`)
      }),
    stop: scouts.stop,
  }
}

/** A map in RESP3, a flat list in RESP2. */
function factsOf(reply: unknown): Map<string, string> {
  const facts = new Map<string, string>()
  if (Array.isArray(reply)) {
    for (let i = 0; i + 1 < reply.length; i += 2) facts.set(String(reply[i]), String(reply[i + 1]))
  } else if (reply instanceof Map) {
    for (const [name, value] of reply) facts.set(String(name), String(value))
  } else if (typeof reply === 'object' && reply !== null) {
    for (const [name, value] of Object.entries(reply)) facts.set(name, String(value))
  }
  return facts
}
