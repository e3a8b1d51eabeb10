/** Gateways that produce runs, without HTTP: two of them with one log and one store. */
import type { Test } from 'tap'
import type { Draft, Log, Receipt } from '../../../src/log/log.js'
import { createMemoryLog } from '../../../src/log/memory.js'
import { createRedisLog } from '../../../src/log/redis.js'
import { silentLogger } from '../../../src/logger.js'
import { type Pumping, pump } from '../../../src/relay/pump.js'
import type { UpstreamAnswer } from '../../../src/relay/request.js'
import type { RunEvent } from '../../../src/runs/format.js'
import type { Producer } from '../../../src/runs/producer.js'
import { createRuns, type Runs } from '../../../src/runs/runs.js'
import type { RunStore } from '../../../src/runs/store.js'
import { createMemoryRuns } from '../../../src/runs/store-memory.js'
import { createRedisRuns } from '../../../src/runs/store-redis.js'
import { SluiceError } from '../../../src/wire/errors.js'
import { createRecorder } from '../../log/subject.js'
import { deferred } from '../../relay/support/upstream.js'
import { type RedisServer, startRedis } from '../../support/redis.js'

/** Events kept of a run whose id begins with `few`. */
export const FEW = 10
const LEASE_MS = 60_000

type Asked = 'append' | 'close' | 'delete'

export interface Node {
  readonly log: Log
  readonly store: RunStore
  readonly runs: Runs
  /** Called before each of these, and after it; what it throws is what became of it. */
  around: (asked: Asked, when: 'before' | 'after') => void | Promise<void>
}

export interface World {
  readonly one: Node
  /** Another gateway. */
  readonly other: Node
}

const retentionFor = (channel: string) => ({
  maxEvents: channel.startsWith('run:few') ? FEW : 10_000,
  maxAge: 3_600_000,
})

async function startNode(t: Test, log: Log, store: RunStore, leaseMs = LEASE_MS): Promise<Node> {
  async function watched<T>(asked: Asked, work: () => Promise<T>): Promise<T> {
    await node.around(asked, 'before')
    const result = await work()
    await node.around(asked, 'after')
    return result
  }
  const seen = {
    ...{ read: log.read, fence: log.fence, partitionOf: log.partitionOf },
    close: (...args: Parameters<Log['close']>) => watched('close', () => log.close(...args)),
    delete: (channel: string) => watched('delete', () => log.delete(channel)),
  }
  const publish = (drafts: readonly Draft[]): Promise<Receipt[]> =>
    watched('append', () => log.append(drafts))
  const runs = createRuns({ store, log: seen, publish, logger: silentLogger, leaseMs })
  const node: Node = { log, store, runs, around: () => {} }
  await runs.start()
  t.teardown(() => runs.stop())
  return node
}

let redis: Promise<RedisServer> | undefined
let prefixes = 0

export async function stopRedis(): Promise<void> {
  await (await redis)?.stop()
}

/** A test that is run on memory, and again on a real Redis. */
export function onBothStores(
  t: Test,
  name: string,
  run: (t: Test, world: World) => Promise<void>,
  { leaseMs = LEASE_MS } = {},
): void {
  t.test(`${name} (memory)`, async (t) => {
    const log = createMemoryLog({ retentionFor })
    t.teardown(() => log.stop())
    await log.start(createRecorder())
    const store = createMemoryRuns()
    await run(t, {
      one: await startNode(t, log, store, leaseMs),
      other: await startNode(t, log, store, leaseMs),
    })
  })
  t.test(`${name} (redis)`, async (t) => {
    redis ??= startRedis()
    const { url } = await redis
    const prefix = `w${++prefixes}`
    const start = async () => {
      const log = createRedisLog({ url, prefix, retentionFor })
      t.teardown(() => log.stop())
      await log.start(createRecorder())
      const store = createRedisRuns(log.intake, { logger: silentLogger })
      return startNode(t, log, store, leaseMs)
    }
    await run(t, { one: await start(), other: await start() })
  })
}

/** Fails once, as a log does that is away: before something has its effect, or after it. */
export function awayOnce(node: Node, what: Asked, at: 'before' | 'after', skip = 0): void {
  let left = skip
  node.around = (asked, when) => {
    if (asked !== what || when !== at || left-- > 0) return
    node.around = () => {}
    throw new SluiceError('log_unavailable')
  }
}

export async function begin({ runs }: Node, id: string, more: object = {}): Promise<Producer> {
  const opened = await runs.begin({ id, format: 'plain', ...more })
  if (opened.kind !== 'producing') throw new Error(`there is a run ${id}`)
  return opened.producer
}

export async function resume({ runs }: Node, id: string): Promise<Producer> {
  const opened = await runs.resume(id)
  if (opened.kind !== 'producing') throw new Error(`${id} is ${opened.kind}`)
  return opened.producer
}

export const token = (text: string): RunEvent => ({
  name: 'message',
  data: JSON.stringify({
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content: text } }],
  }),
})
export const DONE: RunEvent = { name: 'message', data: '[DONE]' }

/** A relay of what is said; `over` resolves when it is let go of. */
export function relaying({ runs }: Node, producer: Producer) {
  const said: string[] = []
  let told = deferred()
  let ended = false
  async function* body(): AsyncGenerator<Buffer> {
    for (;;) {
      const part = said.splice(0).join('')
      if (part !== '') yield Buffer.from(part)
      else if (ended) return
      else await told.promise
      told = deferred()
    }
  }
  function end(): void {
    ended = true
    told.resolve()
  }
  const answer: UpstreamAnswer = { status: 200, headers: {}, body: body(), abort: end }
  const upstream = { name: 'llm', maxEventBytes: 1024 * 1024 } as Pumping['upstream']
  return {
    say(...events: readonly RunEvent[]): void {
      said.push(...events.map(({ data }) => `data: ${data}\n\n`))
      told.resolve()
    },
    end,
    over: pump({ runs, producer, answer, upstream, logger: silentLogger }),
  }
}

/** The data of a run's events, as far as they are kept. */
export async function dataOf({ log }: Node, id: string): Promise<string[]> {
  const channel = `run:${id}`
  const requests = [{ channel, after: 0 }]
  const { channels } = await log.read(log.partitionOf(channel), requests, 10_000)
  return channels[0]!.entries.flatMap((entry) =>
    entry.kind === 'event' ? [JSON.parse(entry.data) as string] : [],
  )
}
