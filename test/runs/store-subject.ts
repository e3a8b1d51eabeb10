/** What the contract is held against: two gateways with one store, and somebody who hears of stops. */
import { EventEmitter, once } from 'node:events'
import type { RunEnd } from '../../src/runs/run.js'
import type { Hold, RunStore } from '../../src/runs/store.js'

export interface StoreSubject {
  readonly one: RunStore
  /** The same store of another gateway; the same gateway's where there can't be two. */
  readonly other: RunStore
  /** What `one` hears, and `other`. */
  readonly heard: { readonly one: Heard; readonly other: Heard }
  /** Lets time pass, by the clock that the store goes by. */
  elapse(ms: number): Promise<void>
  stop(): Promise<void>
}

/** Runs that were told to stop. */
export interface Heard {
  readonly ids: string[]
  hear(id: string): void
  /** Resolves once a run was told to stop. */
  until(id: string): Promise<void>
}

export function createHeard(): Heard {
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const ids: string[] = []
  return {
    ids,
    hear(id) {
      ids.push(id)
      told.emit('told')
    },
    async until(id) {
      while (!ids.includes(id)) await once(told, 'told')
    },
  }
}

/** So long that none is over in a test that doesn't let it be. */
export const LEASE = 60_000
/** How long ended runs are kept. */
export const KEEP = 60_000

export const DONE: RunEnd = { state: 'done', events: 3, text: 'Hello', usage: { output: 2 } }
export const BROKEN: RunEnd = {
  state: 'error',
  events: 1,
  error: { code: 'producer_gone', message: 'Its producer is gone' },
}

/** Begins a run that there isn't yet. */
export async function begin(store: RunStore, id: string, leaseMs = LEASE): Promise<Hold> {
  const begun = await store.begin({ id, format: 'plain' }, leaseMs)
  if (begun.kind !== 'begun') throw new Error(`there is a run ${id}`)
  return begun
}

/** Takes over a run that runs. */
export async function resume(store: RunStore, id: string, leaseMs = LEASE): Promise<Hold> {
  const resumed = await store.resume(id, leaseMs)
  if (resumed.kind !== 'resumed') throw new Error(`${id} is ${resumed.kind}`)
  return resumed
}

/** How one hold stands. */
export async function standing(store: RunStore, id: string, fence: number, leaseMs = LEASE) {
  const [answer] = await store.renew([{ id, fence, events: 1 }], leaseMs)
  return answer
}
