/** Those who are asked where things are: sentinels, or the nodes of a cluster. */
import type { Redis } from 'ioredis'
import { type Node, nodeName } from './address.js'

/** A client for one question after another to a node or a sentinel; not connected yet. */
export type Dial = (node: Node) => Redis

/** What a question's answer was, and how new its view of things is. */
export interface View<T> {
  /** The epoch that the asked one counts: of two views the one with the greater is newer. */
  readonly epoch: number
  readonly of: T
}

/** ms that a view waits for a newer one of somebody else who was asked at the same time. */
const PATIENCE = 50

/**
 * Asks several nodes at once over connections that are kept, and takes the newest view. One alone may
 * have slept: a node that was frozen or cut off answers from its memory until it hears of the others.
 */
export function createScouts<T>(dial: Dial, ask: (client: Redis) => Promise<View<T>>) {
  const clients = new Map<string, Redis>()

  function discard(name: string, client: Redis): void {
    if (clients.get(name) === client) clients.delete(name)
    client.disconnect()
    client.stream?.destroy()
  }

  async function question(node: Node): Promise<View<T>> {
    const name = nodeName(node)
    let client = clients.get(name)
    let reason: string | undefined
    if (client === undefined) {
      client = dial(node)
      clients.set(name, client)
      client.on('error', (error: Error) => {
        reason = error.message
      })
      const connecting = client
      client.once('close', () => discard(name, connecting))
      client.connect().catch(() => {})
    }
    try {
      return await ask(client)
    } catch (error) {
      discard(name, client)
      throw new Error(`${name}: ${reason ?? (error as Error).message}`)
    }
  }

  return {
    /** Rejects where nobody answers. */
    newest(nodes: readonly Node[]): Promise<T> {
      return new Promise((resolve, reject) => {
        let best: View<T> | undefined
        let left = nodes.length
        let timer: NodeJS.Timeout | undefined
        const troubles: string[] = []
        const done = () => {
          clearTimeout(timer)
          if (best !== undefined) resolve(best.of)
          else reject(new Error(troubles.join('; ') || 'nobody to ask'))
        }
        if (left === 0) done()
        for (const node of nodes) {
          question(node)
            .then(
              (view) => {
                if (best === undefined || view.epoch > best.epoch) best = view
                timer ??= setTimeout(done, PATIENCE)
              },
              (error: Error) => {
                troubles.push(error.message)
              },
            )
            .finally(() => {
              left--
              if (left === 0) done()
            })
        }
      })
    },
    stop() {
      for (const [name, client] of clients) discard(name, client)
    },
  }
}

/** Those who ask while an answer is awaited share it. */
export function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let asking: Promise<T> | undefined
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}
