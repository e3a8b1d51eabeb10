/** What a Redis must be, and how it should be set, to hold a log. */
import type { Redis } from 'ioredis'
import { FOLLOWER_BUFFER, REPLICATION_BACKLOG } from './limits.js'
import type { RedisLogger } from './partition.js'
import { RefusedError } from './refused.js'

/** `refuse`: parts of the log could vanish unsaid. `warn`: it will hurt. `hint`: it could be better. */
export interface Finding {
  readonly severity: 'refuse' | 'warn' | 'info' | 'hint'
  readonly text: string
}

type Settings = ReadonlyMap<string, string>

const ASKED = [
  'appendfsync',
  'client-output-buffer-limit',
  'cluster-require-full-coverage',
  'min-replicas-to-write',
  'no-appendfsync-on-rewrite',
  'repl-backlog-size',
  'save',
  'stream-node-max-bytes',
]

const SECTIONS = ['server', 'memory', 'persistence', 'replication', 'cluster'] as const

/** INFO's lines. */
function readInfo(text: string): Settings {
  const lines = text.matchAll(/^(\w+):(.*?)\r?$/gm)
  return new Map(Array.from(lines, ([, name, value]) => [name!, value!]))
}

function versionProblem(info: Settings): string | undefined {
  const version = info.get('redis_version') ?? 'something else'
  return Number.parseInt(version, 10) >= 7
    ? undefined
    : `Redis 7 or later is needed, this is ${version}`
}

/** As much of it as INFO tells: whether there is an AOF, neither how often it is synced nor the snapshots. */
function persistenceUnasked(aof: string | undefined): string {
  if (aof === '1')
    return 'appendonly yes, appendfsync unknown: so is what a crash of the machine loses'
  if (aof === '0')
    return 'appendonly no, snapshots unknown: so is how much a restart of Redis loses'
  return 'persistence unknown: so is what a restart of Redis loses'
}

/** What a restart of Redis, or of its machine, takes away. */
function persistence(info: Settings, settings: Settings | undefined): string {
  if (settings === undefined) return persistenceUnasked(info.get('aof_enabled'))
  if (info.get('aof_enabled') !== '1') {
    return settings.get('save') === ''
      ? 'appendonly no, no snapshots: a restart of Redis loses the log'
      : 'appendonly no: a crash of Redis loses all events since the last snapshot'
  }
  const fsync = settings.get('appendfsync')
  if (fsync === 'always') {
    return settings.get('no-appendfsync-on-rewrite') === 'yes'
      ? 'appendfsync always, but no-appendfsync-on-rewrite yes: a crash of the machine during a rewrite loses events'
      : 'appendfsync always: acknowledged events survive a crash of Redis and of its machine'
  }
  if (fsync === 'no') return 'appendfsync no: a crash of the machine loses up to half a minute'
  return 'appendonly yes: a crash of the machine loses the last second or two'
}

function* judgeInfo(info: Settings): Generator<Finding> {
  const policy = info.get('maxmemory_policy') ?? ''
  if (policy.startsWith('allkeys-')) {
    // Also where maxmemory is 0 today: it is set on the day on which memory runs short.
    const text = `maxmemory-policy is ${policy}, which removes parts of the log silently: use noeviction`
    yield { severity: 'refuse', text }
  } else if (policy.startsWith('volatile-')) {
    const text =
      `maxmemory-policy is ${policy}: when memory is full, whole channels vanish (their readers are told) ` +
      'and idempotency keys, too (a repetition is appended twice): use noeviction'
    yield { severity: 'warn', text }
  }
  if (info.get('maxmemory') === '0') {
    const text = 'maxmemory is 0: set it, so that publishes are refused before the machine runs out'
    yield { severity: 'hint', text }
  }
  if (info.get('min_slaves_good_slaves') === '0') {
    const text = 'min-replicas-to-write is set and no replica is there: Redis refuses publishes now'
    yield { severity: 'warn', text }
  }
}

function* judgeSettings(info: Settings, settings: Settings): Generator<Finding> {
  const number = (name: string) => Number(settings.get(name) ?? Number.NaN)
  const buffer = Number(/pubsub (\d+)/.exec(settings.get('client-output-buffer-limit') ?? '')?.[1])
  if (buffer > 0 && buffer < FOLLOWER_BUFFER) {
    const text =
      'client-output-buffer-limit cuts off a gateway that stalls for a second under load: ' +
      'set "pubsub 256mb 64mb 60"'
    yield { severity: 'warn', text }
  }
  const node = number('stream-node-max-bytes')
  if (node === 0 || node >= 4096) {
    const text =
      'stream-node-max-bytes 1024 rather than 4096 saves 3 KiB for each channel with a few small events'
    yield { severity: 'hint', text }
  }
  if (
    info.get('cluster_enabled') === '1' &&
    settings.get('cluster-require-full-coverage') === 'yes'
  ) {
    const text =
      'cluster-require-full-coverage no: else all partitions stand still while one master is away'
    yield { severity: 'hint', text }
  }
  if (
    Number(info.get('connected_slaves')) > 0 &&
    number('repl-backlog-size') < REPLICATION_BACKLOG
  ) {
    const text = 'repl-backlog-size 64mb: else a replica that was away for moments is copied anew'
    yield { severity: 'hint', text }
  }
}

/** What there is to say about a master. Without `settings` where CONFIG isn't permitted. */
export function judge(info: Settings, settings: Settings | undefined): Finding[] {
  const problem = versionProblem(info)
  if (problem !== undefined) return [{ severity: 'refuse', text: problem }]
  const findings = [...judgeInfo(info)]
  if (settings !== undefined) findings.push(...judgeSettings(info, settings))
  else {
    const text = 'CONFIG GET is not permitted: buffers and persistence can’t be looked at'
    findings.push({ severity: 'info', text })
  }
  findings.push({ severity: 'info', text: persistence(info, settings) })
  return findings
}

async function askSettings(client: Redis): Promise<Settings | undefined> {
  try {
    const flat = (await client.config('GET', ...(ASKED as [string]))) as string[]
    const pairs = flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : []))
    return new Map(pairs as [string, string][])
  } catch (error) {
    // Without the right, or a service that doesn't have the command. A lost connection is another thing.
    if (error instanceof Error && error.name === 'ReplyError') return undefined
    throw error
  }
}

export interface Examiner {
  /** Asks a master that is met. Throws where the log isn't safe there. */
  examine(client: Redis): Promise<void>
  /**
   * From now on what would have been refused is an error in the log: a failover to a server that is
   * set badly must not become an outage. And whatever is found from now on is said here.
   */
  relent(): void
}

/**
 * Looks at each server process once, however many partitions it has and however often they connect,
 * and says each thing once: the masters of a cluster are mostly set alike. `told`: what is found until
 * `relent` was said by another process already.
 */
export function createExaminer(logger: RedisLogger, told = false): Examiner {
  const met = new Set<string>()
  const said = new Set<string>()
  let strict = true

  function say(findings: readonly Finding[], fields: object): void {
    const news = findings.filter(({ text }) => !said.has(text))
    for (const { text } of news) said.add(text)
    if (told && strict) return
    for (const { severity, text } of news) {
      if (severity === 'hint') continue
      logger[severity === 'refuse' ? 'error' : severity](fields, `Redis: ${text}`)
    }
    const hints = news.filter(({ severity }) => severity === 'hint').map(({ text }) => text)
    if (hints.length > 0) logger.info(fields, `Redis could be set better: ${hints.join('; ')}`)
  }

  return {
    async examine(client) {
      const info = readInfo(await client.info(...SECTIONS))
      const process = info.get('run_id') ?? ''
      if (met.has(process)) return
      const findings = judge(info, await askSettings(client))
      const refusal = findings.find(({ severity }) => severity === 'refuse')
      if (refusal !== undefined && strict) throw new RefusedError(refusal.text)
      // Another partition may have asked meanwhile.
      if (met.has(process)) return
      met.add(process)
      say(findings, { redis: `${client.options.host}:${client.options.port}` })
    },
    relent() {
      strict = false
    },
  }
}
