/** The one table of options, and what follows from it for each: variable, flag, key, help. */
import type { Config } from './types.js'
import * as values from './values.js'

export interface Spec<T> {
  /** Key in the file. The variable and the flag are the same name in their own spelling. */
  readonly key: string
  /** As an operator would write it; undefined = unset. Read by `read` like any other value. */
  readonly fallback: string | undefined
  /** What `read` takes, for --help. */
  readonly takes: string
  readonly help: string
  /** From a variable, a flag (both text) or the file (JSON). Throws a Fault. */
  readonly read: (value: unknown) => T
  /** Can't be said in a variable. */
  readonly fileOnly?: true
  /** May hold a password: never repeated in a message. */
  readonly secret?: true
}

export const TABLE: { readonly [F in keyof Config]: Spec<Exclude<Config[F], undefined>> } = {
  host: {
    key: 'host',
    fallback: '127.0.0.1',
    takes: 'address',
    help: 'address to listen on; loopback only',
    read: values.loopbackHost,
  },
  port: {
    key: 'port',
    fallback: '8080',
    takes: 'number',
    help: 'port to listen on; 0 takes a free one',
    read: values.whole(0, 65_535),
  },
  workers: {
    key: 'workers',
    fallback: '1',
    takes: 'number',
    help: 'processes that share the port, auto = one a core; several need Redis',
    read: values.workers,
  },
  redisUrl: {
    key: 'redisUrl',
    fallback: undefined,
    takes: 'url',
    help: 'redis://host, redis://a,b (cluster), redis+sentinel://a,b/name; or memory',
    read: values.redis,
    secret: true,
  },
  redisPrefix: {
    key: 'redisPrefix',
    fallback: 'sluice',
    takes: 'text',
    help: 'what all names in Redis begin with',
    read: values.prefix,
  },
  redisMinReplicas: {
    key: 'redisMinReplicas',
    fallback: '0',
    takes: 'number',
    help: 'replicas that must have an event before it is acknowledged',
    read: values.whole(0, 16),
  },
  partitions: {
    key: 'partitions',
    fallback: '1',
    takes: 'number',
    help: 'partitions of the log, 16 in a cluster; fixed for the life of the data',
    read: values.whole(1, 64),
  },
  ingest: {
    key: 'ingest',
    fallback: 'on',
    takes: 'on/off',
    help: 'with Redis: take what others PUBLISH or XADD there',
    read: values.onOff,
  },
  corsOrigins: {
    key: 'corsOrigins',
    fallback: 'loopback',
    takes: 'origins',
    help: 'pages that may call, comma-separated; loopback = this machine’s',
    read: values.origins,
  },
  heartbeatMs: {
    key: 'heartbeat',
    fallback: '15s',
    takes: 'duration',
    help: 'silence after which a stream is sent a sign of life',
    read: values.duration(10, values.HOUR),
  },
  maxAgeMs: {
    key: 'maxAge',
    fallback: '0',
    takes: 'duration',
    help: 'longest life of a stream; 0 = without end',
    read: values.duration(0, values.MAX_TIMER),
  },
  retentionEvents: {
    key: 'retentionEvents',
    fallback: '10000',
    takes: 'number',
    help: 'events that a channel keeps',
    read: values.retentionEvents,
  },
  retentionAgeMs: {
    key: 'retentionAge',
    fallback: '24h',
    takes: 'duration',
    help: 'how long a channel keeps them',
    read: values.retentionAge,
  },
  channels: {
    key: 'channels',
    fallback: undefined,
    takes: 'list',
    help: '[{"pattern":"chat:*","retentionEvents":500,"retentionAge":"7d"}, …]; first match counts',
    read: values.channelRules,
    fileOnly: true,
  },
  memoryLimitBytes: {
    key: 'memoryLimit',
    fallback: '512mb',
    takes: 'size',
    help: 'what the log in memory may hold',
    read: values.size(2 ** 20),
  },
  maxStreams: {
    key: 'maxStreams',
    fallback: '20000',
    takes: 'number',
    help: 'streams open at one time',
    read: values.whole(1, 1_000_000),
  },
  maxChannels: {
    key: 'maxChannels',
    fallback: '1000',
    takes: 'number',
    help: 'channels on one stream',
    read: values.whole(1, 100_000),
  },
  maxEventBytes: {
    key: 'maxEventSize',
    fallback: '256kb',
    takes: 'size',
    help: 'data of one event',
    read: values.size(1),
  },
  maxBodyBytes: {
    key: 'maxBodySize',
    fallback: '4mb',
    takes: 'size',
    help: 'body of one request; a streamed one has no limit',
    read: values.size(1),
  },
  logLevel: {
    key: 'logLevel',
    fallback: 'info',
    takes: 'level',
    help: `what is logged: ${values.LEVELS.join(', ')}`,
    read: values.level,
  },
  drainMs: {
    key: 'drainTime',
    fallback: '10s',
    takes: 'duration',
    help: 'longest that a shutdown waits for readers and requests to finish',
    read: values.duration(0, values.HOUR),
  },
}

/** One option in all its spellings, for --help and the documentation. */
export interface Option {
  /** Key in the file; undefined: not in the file. */
  readonly key: string | undefined
  /** `SLUICE_…`; undefined: the file only. */
  readonly variable: string | undefined
  /** `--…` without the dashes; undefined: the file only. */
  readonly flag: string | undefined
  /** Kind of value: `duration`, `size`, … */
  readonly takes: string
  /** As written; undefined: unset. */
  readonly fallback: string | undefined
  readonly help: string
}

export const FIELDS = Object.keys(TABLE) as (keyof Config)[]
export const dashed = (key: string) => key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
export const variableOf = (key: string) =>
  `SLUICE_${dashed(key).replaceAll('-', '_').toUpperCase()}`

/** Every option there is. */
export const OPTIONS: readonly Option[] = [
  {
    key: undefined,
    variable: 'SLUICE_CONFIG',
    flag: 'config',
    takes: 'path',
    fallback: undefined,
    help: 'JSON file with these options in camelCase',
  },
  ...FIELDS.map((field): Option => {
    const { key, takes, fallback, help, fileOnly } = TABLE[field]
    const named = fileOnly !== true
    return {
      key,
      variable: named ? variableOf(key) : undefined,
      flag: named ? dashed(key) : undefined,
      takes,
      fallback,
      help,
    }
  }),
]
