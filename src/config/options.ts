/** The one table of options, and what follows from it for each: variable, flag, key, help. */
import { LIMITS } from '../limits.js'
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
  /** A key: given but empty, it would leave a gateway open that its owner believes locked. */
  readonly locks?: true
}

export const TABLE: { readonly [F in keyof Config]: Spec<Exclude<Config[F], undefined>> } = {
  host: {
    key: 'host',
    fallback: '127.0.0.1',
    takes: 'address',
    help: 'address to listen on; beyond loopback with keys only',
    read: values.host,
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
  pages: {
    key: 'pages',
    fallback: 'on',
    takes: 'on/off',
    help: 'pages of its own: /inspect, and where it has no keys / with demos',
    read: values.onOff,
  },
  apiKeys: {
    key: 'apiKey',
    fallback: undefined,
    takes: 'keys',
    help: 'keys of backends, comma-separated: whoever sends one may do everything',
    read: values.apiKeys,
    secret: true,
    locks: true,
  },
  jwtSecrets: {
    key: 'jwtSecret',
    fallback: undefined,
    takes: 'secrets',
    help: 'secrets that tokens are signed with (HS256, HS384, HS512), comma-separated',
    read: values.jwtSecrets,
    secret: true,
    locks: true,
  },
  jwtPublicKeys: {
    key: 'jwtPublicKey',
    fallback: undefined,
    takes: 'pem',
    help: 'public keys of those who sign tokens: PEM, or the path of a file with it',
    read: values.publicKeys,
    secret: true,
    locks: true,
  },
  jwksUrl: {
    key: 'jwksUrl',
    fallback: undefined,
    takes: 'url',
    help: 'where such keys are published as a JWKS',
    read: values.webUrl,
    locks: true,
  },
  jwtAlgorithms: {
    key: 'jwtAlgorithms',
    fallback: undefined,
    takes: 'names',
    help: 'algorithms that are accepted, e.g. RS256,EdDSA; unset: those that fit the keys',
    read: values.algorithms,
  },
  jwtIssuers: {
    key: 'jwtIssuer',
    fallback: undefined,
    takes: 'names',
    help: 'what "iss" of a token must be, comma-separated; unset: anything',
    read: values.names,
  },
  jwtAudiences: {
    key: 'jwtAudience',
    fallback: undefined,
    takes: 'names',
    help: 'what "aud" of a token must have, comma-separated; unset: anything',
    read: values.names,
  },
  jwtClaim: {
    key: 'jwtClaim',
    fallback: 'sluice',
    takes: 'text',
    help: 'claim that holds the rights',
    read: values.claimName,
  },
  jwtToleranceMs: {
    key: 'jwtTolerance',
    fallback: '30s',
    takes: 'duration',
    help: 'how far the clock of whoever signs tokens may be off',
    read: values.duration(0, 10 * 60_000),
  },
  cookie: {
    key: 'cookie',
    fallback: '__Host-sluice',
    takes: 'name',
    help: 'cookie that may hold a token',
    read: values.cookieName,
  },
  anonymous: {
    key: 'anonymous',
    fallback: undefined,
    takes: 'rights',
    help: 'what callers without a token may do, e.g. "public:**=subscribe"; unset: nothing',
    read: values.rights,
  },
  authorizeUrl: {
    key: 'authorizeUrl',
    fallback: undefined,
    takes: 'url',
    help: 'endpoint of a backend that is asked on subscribe and publish, too',
    read: values.webUrl,
  },
  authorizeKey: {
    key: 'authorizeKey',
    fallback: undefined,
    takes: 'text',
    help: 'what it is sent as a bearer token, so that it knows who asks',
    read: values.secretText,
    secret: true,
    locks: true,
  },
  authorizeCacheMs: {
    key: 'authorizeCache',
    fallback: '10s',
    takes: 'duration',
    help: 'how long its answers count',
    read: values.duration(0, values.HOUR),
  },
  authorizeTimeoutMs: {
    key: 'authorizeTimeout',
    fallback: '2s',
    takes: 'duration',
    help: 'how long it may take; then the answer is no',
    read: values.duration(10, 60_000),
  },
  corsOrigins: {
    key: 'corsOrigins',
    fallback: 'loopback',
    takes: 'origins',
    help: 'pages that may call, comma-separated; loopback = this machine’s',
    read: values.origins,
  },
  allowedHosts: {
    key: 'allowedHosts',
    fallback: undefined,
    takes: 'hosts',
    help: 'names in the Host header; any = all; unset: loopback where it listens there',
    read: values.hosts,
  },
  trustedProxies: {
    key: 'trustedProxies',
    fallback: undefined,
    takes: 'addresses',
    help: 'proxies whose X-Forwarded-For counts, e.g. loopback,10.0.0.0/8; unset: none',
    read: values.proxies,
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
    help: '[{"pattern":"chat:*","retentionEvents":500,"retentionAge":"7d","presence":true}, …]; first match counts',
    read: values.channelRules,
    fileOnly: true,
  },
  upstreams: {
    key: 'upstreams',
    fallback: undefined,
    takes: 'object',
    help: 'LLM APIs behind the relay: {"openai":{"url":"https://…","headers":{…},"allow":["POST /v1/…"]}}',
    read: values.upstreams,
    fileOnly: true,
  },
  iceServers: {
    key: 'iceServers',
    fallback: undefined,
    takes: 'object',
    help: 'for calls: {"servers":[{"urls":"turn:turn.example","secret":"$TURN_SECRET"}],"relayOnly":false}',
    read: values.iceServers,
    fileOnly: true,
  },
  presenceGraceMs: {
    key: 'presenceGrace',
    fallback: '20s',
    takes: 'duration',
    help: 'how long somebody is present whose connection is gone',
    read: values.duration(10_000, 5 * 60_000),
  },
  memoryLimitBytes: {
    key: 'memoryLimit',
    fallback: '512mb',
    takes: 'size',
    help: 'what the log in memory may hold',
    read: values.size(2 ** 20),
  },
  maxHeadBytes: { key: 'maxHeadSize', ...LIMITS.maxHeadSize, read: values.size(1024) },
  maxUrlLength: { key: 'maxUrlLength', ...LIMITS.maxUrlLength, read: values.size(128) },
  headMs: { key: 'headTimeout', ...LIMITS.headTimeout, read: values.duration(10, values.HOUR) },
  bodyMs: { key: 'bodyTimeout', ...LIMITS.bodyTimeout, read: values.duration(10, values.HOUR) },
  uploadIdleMs: {
    key: 'uploadTimeout',
    ...LIMITS.uploadTimeout,
    read: values.duration(10, values.HOUR),
  },
  maxStreams: { key: 'maxStreams', ...LIMITS.maxStreams, read: values.whole(1, 1_000_000) },
  maxStreamsPerSubject: {
    key: 'maxStreamsPerSubject',
    ...LIMITS.maxStreamsPerSubject,
    read: values.whole(0, 1_000_000),
  },
  maxStreamsPerAddress: {
    key: 'maxStreamsPerAddress',
    ...LIMITS.maxStreamsPerAddress,
    read: values.whole(0, 1_000_000),
  },
  maxPresent: { key: 'maxPresent', ...LIMITS.maxPresent, read: values.whole(1, 1_000_000) },
  streamRate: { key: 'streamRate', ...LIMITS.streamRate, read: values.rate },
  publishRate: { key: 'publishRate', ...LIMITS.publishRate, read: values.rate },
  channelRate: { key: 'channelRate', ...LIMITS.channelRate, read: values.rate },
  maxChannels: { key: 'maxChannels', ...LIMITS.maxChannels, read: values.whole(1, 100_000) },
  maxEventBytes: { key: 'maxEventSize', ...LIMITS.maxEventSize, read: values.size(1) },
  maxBodyBytes: { key: 'maxBodySize', ...LIMITS.maxBodySize, read: values.size(1) },
  maxUploadBytes: { key: 'maxUploadSize', ...LIMITS.maxUploadSize, read: values.size(0) },
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
