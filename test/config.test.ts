import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import t from 'tap'
import {
  type Config,
  ConfigError,
  type ConfigSources,
  createRetention,
  loadConfig,
  nearest,
  OPTIONS,
} from '../src/config.js'

const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})

function problems(sources: ConfigSources) {
  try {
    loadConfig(sources)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

/** The file `gate.json` with this content. */
const file = (content: unknown): ConfigSources => ({
  env: { SLUICE_CONFIG: '/etc/gate.json' },
  readFile: () => (typeof content === 'string' ? content : JSON.stringify(content)),
})

t.test('without any setting it is a gateway for this machine, in memory', async (t) => {
  t.strictSame(loadConfig(), {
    host: '127.0.0.1',
    port: 8080,
    workers: 1,
    redisUrl: undefined,
    redisPrefix: 'sluice',
    redisMinReplicas: 0,
    partitions: 1,
    ingest: true,
    pages: true,
    apiKeys: [],
    jwtSecrets: [],
    jwtPublicKeys: [],
    jwksUrl: undefined,
    jwtAlgorithms: undefined,
    jwtIssuers: [],
    jwtAudiences: [],
    jwtClaim: 'sluice',
    jwtToleranceMs: 30_000,
    cookie: '__Host-sluice',
    anonymous: undefined,
    authorizeUrl: undefined,
    authorizeKey: undefined,
    authorizeCacheMs: 10_000,
    authorizeTimeoutMs: 2_000,
    corsOrigins: 'loopback',
    allowedHosts: undefined,
    trustedProxies: [],
    heartbeatMs: 15_000,
    maxAgeMs: 0,
    retentionEvents: 10_000,
    retentionAgeMs: 86_400_000,
    channels: [],
    upstreams: {},
    iceServers: undefined,
    memoryLimitBytes: 512 * 2 ** 20,
    maxHeadBytes: 32 * 1024,
    maxUrlLength: 24 * 1024,
    headMs: 8_000,
    bodyMs: 8_000,
    uploadIdleMs: 60_000,
    maxEventBytes: 256 * 1024,
    maxBodyBytes: 4 * 2 ** 20,
    maxUploadBytes: 2 ** 30,
    maxStreams: 20_000,
    maxStreamsPerSubject: 100,
    maxStreamsPerAddress: 1000,
    presenceGraceMs: 20_000,
    maxPresent: 10_000,
    maxChannels: 1000,
    streamRate: { amount: 300, ms: 60_000 },
    publishRate: { amount: 100, ms: 1_000 },
    channelRate: { amount: 1000, ms: 1_000 },
    logLevel: 'info',
    drainMs: 10_000,
  } satisfies Config)
})

t.test('a flag beats the environment, which beats the file, which beats the default', async (t) => {
  const readFile = () => '{"port":1,"heartbeat":"1s","redisPrefix":"f"}'
  const env = { SLUICE_CONFIG: 'x.json', SLUICE_PORT: '2', SLUICE_HEARTBEAT: '2' }
  const config = loadConfig({ env, flags: { port: '3' }, readFile })
  t.match(config, { port: 3, heartbeatMs: 2000, redisPrefix: 'f', partitions: 1 })
})

t.test('a wrong variable is named with the nearest right one', async (t) => {
  const near: Record<string, string> = {
    SLUICE_PROT: 'SLUICE_PORT',
    SLUICE_REDIS: 'SLUICE_REDIS_URL',
    SLUICE_RETENTION_EVENT: 'SLUICE_RETENTION_EVENTS',
    SLUICE_MAXSTREAMS: 'SLUICE_MAX_STREAMS',
    SLUICE_CORS_ORIGIN: 'SLUICE_CORS_ORIGINS',
  }
  for (const [wrong, right] of Object.entries(near)) {
    t.match(problems({ env: { [wrong]: '1' } }), [
      { source: wrong, fault: 'there is no such option', advice: `did you mean ${right}?` },
    ])
  }
  t.match(problems({ flags: { 'redis-ulr': 'x' } }), [{ advice: 'did you mean redis-url?' }])
  t.match(problems(file({ hartbeat: 1 })), [
    { source: 'gate.json: hartbeat', advice: 'did you mean heartbeat?' },
  ])
  t.notMatch(problems({ env: { SLUICE_QQQQQQ: '1' } })[0]?.advice, /did you mean/)
})

t.test('everything that is wrong is told at once, and where it came from', async (t) => {
  const sources: ConfigSources = {
    ...file({ maxEventSize: 'big', colour: 'red' }),
    env: { SLUICE_CONFIG: '/etc/gate.json', SLUICE_PORT: '80a', SLUICE_PRT: '1' },
    flags: { partitions: '65', heartbeat: true },
  }
  t.same(
    problems(sources).map((problem) => problem.source),
    [
      'SLUICE_PRT',
      'gate.json: colour',
      'SLUICE_PORT "80a"',
      '--partitions "65"',
      '--heartbeat',
      'gate.json: maxEventSize "big"',
    ],
  )
  for (const problem of problems(sources)) t.ok(problem.advice, `${problem.source}: advice`)
})

t.test('durations and sizes are read as people write them', async (t) => {
  const drain: Record<string, number> = { '500ms': 500, '15s': 15_000, '5m': 300_000, '7': 7000 }
  for (const [text, ms] of Object.entries({ ...drain, '1.5s': 1500, '0': 0 })) {
    t.equal(loadConfig({ flags: { 'drain-time': text } }).drainMs, ms, text)
  }
  t.equal(loadConfig({ env: { SLUICE_RETENTION_AGE: '7d' } }).retentionAgeMs, 604_800_000)
  t.equal(loadConfig(file({ heartbeat: 20 })).heartbeatMs, 20_000)
  for (const [text, bytes] of [
    ['100', 100],
    ['64b', 64],
    ['1KB', 1024],
    ['0.5mb', 524_288],
  ]) {
    t.equal(loadConfig({ flags: { 'max-event-size': String(text) } }).maxEventBytes, bytes)
  }
  for (const wrong of ['', '-1', '5 m', '1w', 'NaN', '1e3', '99d', [5], null, true]) {
    t.equal(problems(file({ heartbeat: wrong })).length, 1, JSON.stringify(wrong))
  }
})

t.test('an empty variable is an unset one', async (t) => {
  t.equal(loadConfig({ env: { SLUICE_PORT: '', SLUICE_REDIS_URL: '' } }).port, 8080)
})

const SECRET = 'a secret of thirty-two characters'
const KEY = 'a-key-of-twenty-characters'

t.test('a secret that is too short, or empty, is refused and never repeated', async (t) => {
  for (const name of ['SLUICE_JWT_SECRET', 'SLUICE_API_KEY', 'SLUICE_JWT_PUBLIC_KEY']) {
    for (const value of ['hunter2', '']) {
      const [problem] = problems({ env: { [name]: value } })
      t.match(problem, { source: name }, `${name}=${value}`)
      t.notMatch(JSON.stringify(problem), 'hunter2')
    }
  }
  t.match(problems({ env: { SLUICE_JWKS_URL: '' } }), [{ source: /^SLUICE_JWKS_URL/ }])
  t.match(problems({ env: { SLUICE_JWT_SECRET: `${SECRET},short` } }), [{ fault: /too short/ }])
  t.match(problems({ env: { SLUICE_JWT_PUBLIC_KEY: privateKey } }), [{ fault: /private key/ }])
})

t.test('several secrets and keys may count at once, so that they can be changed', async (t) => {
  const env = { SLUICE_JWT_SECRET: `${SECRET}, ${SECRET}2`, SLUICE_API_KEY: `${KEY},${KEY}2` }
  t.match(loadConfig({ env }), {
    jwtSecrets: [SECRET, `${SECRET}2`],
    apiKeys: [KEY, `${KEY}2`],
  })
  t.match(loadConfig(file({ apiKey: [KEY, `${KEY}2`] })), { apiKeys: [KEY, `${KEY}2`] })
  const pems = loadConfig({ env: { SLUICE_JWT_PUBLIC_KEY: publicKey + publicKey } }).jwtPublicKeys
  t.strictSame(pems, [publicKey.trim(), publicKey.trim()])
  const oneLine = publicKey.replaceAll('\n', '\\n')
  t.strictSame(loadConfig({ env: { SLUICE_JWT_PUBLIC_KEY: oneLine } }).jwtPublicKeys, [
    publicKey.trim(),
  ])
})

t.test('without keys only this machine can be listened to', async (t) => {
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
    t.equal(loadConfig({ env: { SLUICE_HOST: host } }).host, host)
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '192.168.1.2',
    '127.0.0.1.example',
    'gate',
    '::ffff:127.0.0.1',
  ]) {
    const found = problems({ env: { SLUICE_HOST: host } })
    t.match(found, [{ source: 'SLUICE_HOST', advice: /SLUICE_API_KEY.*127\.0\.0\.1/ }], host)
    for (const keys of [{ SLUICE_JWT_SECRET: SECRET }, { SLUICE_API_KEY: KEY }]) {
      t.equal(loadConfig({ env: { SLUICE_HOST: host, ...keys } }).host, host)
    }
  }
  t.match(problems({ env: { SLUICE_HOST: 'a b' } }), [{ fault: 'it is not an address' }])
})

t.test('what only counts with keys is refused without', async (t) => {
  const useless = {
    SLUICE_ANONYMOUS: 'public:*=subscribe',
    SLUICE_AUTHORIZE_URL: 'http://127.0.0.1/may',
    SLUICE_JWT_ISSUER: 'me',
    SLUICE_JWT_AUDIENCE: 'you',
    SLUICE_JWT_ALGORITHMS: 'RS256',
  }
  for (const [name, value] of Object.entries(useless)) {
    t.match(problems({ env: { [name]: value } }), [{ source: name, fault: /open to all/ }], name)
  }
  const env = { SLUICE_API_KEY: KEY, SLUICE_JWT_ISSUER: 'me' }
  t.match(problems({ env }), [{ source: 'SLUICE_JWT_ISSUER', fault: /no key that a token/ }])
  t.match(problems({ env: { SLUICE_AUTHORIZE_KEY: KEY } }), [{ fault: /nobody to send it to/ }])
})

t.test('rights, rates, hosts and proxies are read as people write them', async (t) => {
  const env = {
    SLUICE_API_KEY: KEY,
    SLUICE_ANONYMOUS: 'public:**=subscribe chat:*=subscribe,publish',
    SLUICE_PUBLISH_RATE: '600/m',
    SLUICE_CHANNEL_RATE: '0',
    SLUICE_ALLOWED_HOSTS: 'Sluice.example, localhost:8080',
    SLUICE_TRUSTED_PROXIES: 'loopback,10.0.0.0/8',
  }
  t.match(loadConfig({ env }), {
    anonymous: { channels: { 'public:**': ['subscribe'], 'chat:*': ['subscribe', 'publish'] } },
    publishRate: { amount: 600, ms: 60_000 },
    channelRate: { amount: 0 },
    allowedHosts: ['sluice.example', 'localhost:8080'],
    trustedProxies: ['loopback', '10.0.0.0/8'],
  })
  const wrong = {
    SLUICE_ANONYMOUS: 'public:**=subscribe',
    SLUICE_PUBLISH_RATE: '600/x',
    SLUICE_ALLOWED_HOSTS: 'https://a.example',
    SLUICE_TRUSTED_PROXIES: '10.0.0.0/99',
    SLUICE_JWKS_URL: 'ftp://x',
    SLUICE_JWT_ALGORITHMS: 'none',
    SLUICE_COOKIE: 'a b',
  }
  for (const [name, value] of Object.entries(wrong)) {
    t.match(problems({ env: { [name]: value } }), [{ source: new RegExp(`^${name}`) }], name)
  }
})

t.test('of Redis, one server, a cluster or sentinels; a password is never repeated', async (t) => {
  const urls = [
    'redis://127.0.0.1:6379',
    'rediss://u:p@redis.example/3',
    'redis://[::1]/',
    'redis://:p@a:1,redis://b:2,redis://c',
    'redis+sentinel://u:p@a,b:2/main/1?sentinelPassword=x',
  ]
  for (const url of urls) {
    t.equal(loadConfig({ env: { SLUICE_REDIS_URL: url } }).redisUrl, url)
  }
  const refused: [string, RegExp][] = [
    ['redis://:hunter2@a:1,redis://b:2/1', /one database only/],
    ['redis://:hunter2@a:1,rediss://b:2', /not all of one kind/],
    ['redis://:hunter2@a:1,redis://:other@b:2', /different users or passwords/],
    ['redis+sentinel://:hunter2@a:1', /name of the master is missing/],
    ['redis+sentinel://:hunter2@a:1/m?password=hunter2', /unknown parameter/],
    ['redis://:hunter2@a?db=1', /parameters/],
    ['redis://:hunter2@a:99999', /port/],
    ['redis://:hunter2%@a', /percent-encoded/],
    ['http://:hunter2@a', /not the URL of a Redis/],
    [':hunter2', /not the URL/],
    ['redis://:hunter2@a/db', /database/],
  ]
  for (const [url, fault] of refused) {
    const found = problems({ env: { SLUICE_REDIS_URL: url } })
    t.match(found, [{ source: 'SLUICE_REDIS_URL', fault }], url)
    t.notMatch(JSON.stringify(found), 'hunter2')
  }
})

t.test('origins are exact', async (t) => {
  const env = { SLUICE_CORS_ORIGINS: 'https://a.example, http://localhost:3000' }
  t.strictSame(loadConfig({ env }).corsOrigins, ['https://a.example', 'http://localhost:3000'])
  t.strictSame(loadConfig(file({ corsOrigins: ['https://a.example'] })).corsOrigins, [
    'https://a.example',
  ])
  for (const wrong of ['*', 'null', 'a.example', 'https://a.example/', 'https://*.example']) {
    t.equal(problems({ env: { SLUICE_CORS_ORIGINS: wrong } }).length, 1, wrong)
  }
})

t.test('an event never may be larger than the body that brings it', async (t) => {
  const env = { SLUICE_MAX_EVENT_SIZE: '5mb' }
  t.match(problems({ env }), [{ source: /^SLUICE_MAX_EVENT_SIZE$/, advice: /maxBodySize/ }])
  t.match(problems({ env, flags: { 'max-body-size': '4mb' } }), [
    { source: /^SLUICE_MAX_EVENT_SIZE, --max-body-size$/ },
  ])
})

t.test('several workers need a log that they share', async (t) => {
  t.match(problems({ flags: { workers: '2' } }), [{ source: '--workers', advice: /--redis-url/ }])
  const env = { SLUICE_REDIS_URL: 'redis://127.0.0.1' }
  t.equal(loadConfig({ env, flags: { workers: '2' } }).workers, 2)
  t.equal(loadConfig({ env, flags: { workers: 'auto' } }).workers, availableParallelism())
  for (const wrong of ['0', '-1', '257', 'all', '1.5']) {
    t.match(problems({ env, flags: { workers: wrong } }), [{ advice: /or auto for one a core/ }])
  }
})

t.test(
  'replicas without a Redis are refused by the name under which they were asked for',
  async (t) => {
    const fault = 'a log in memory has no replicas'
    t.match(problems({ flags: { 'redis-min-replicas': '1' } }), [
      { source: '--redis-min-replicas', fault },
    ])
    t.match(problems({ env: { SLUICE_REDIS_MIN_REPLICAS: '1' } }), [
      { source: 'SLUICE_REDIS_MIN_REPLICAS', fault },
    ])
    t.match(problems(file({ redisMinReplicas: 1 })), [
      { source: 'gate.json: redisMinReplicas', fault },
    ])
  },
)

t.test('a file that can’t be used is a problem like the others', async (t) => {
  t.match(problems(file('{')), [{ source: '/etc/gate.json' }])
  t.match(problems(file('[]')), [{ fault: 'it holds no JSON object' }])
  t.match(problems(file('{\n  "port": 1,\n}')), [
    { fault: 'it is not JSON: line 3, column 1', advice: /no comma before/ },
  ])
  t.match(problems(file('{"apiKey": secret}')), [{ fault: /^it is not JSON/ }])
  t.notMatch(JSON.stringify(problems(file('{"apiKey": secret}'))), 'secret')
  const readFile = () => {
    throw new Error('ENOENT: no such file')
  }
  const missing = problems({ flags: { config: 'gone.json', prt: '1' }, readFile })
  t.same(
    missing.map((problem) => problem.source),
    ['gone.json', '--prt'],
  )
})

t.test('the first rule whose pattern matches says what a channel keeps', async (t) => {
  const channels = [
    { pattern: 'chat:vip', retentionAge: '7d' },
    { pattern: 'chat:*', retentionEvents: 50 },
    { pattern: '**', retentionEvents: 7, retentionAge: '1m' },
  ]
  const retentionFor = createRetention(loadConfig(file({ channels, retentionEvents: 100 })))
  t.same(retentionFor('chat:vip'), { maxEvents: 100, maxAge: 604_800_000 })
  t.same(retentionFor('chat:7'), { maxEvents: 50, maxAge: 86_400_000 })
  t.same(retentionFor('x'), { maxEvents: 7, maxAge: 60_000 })
  t.equal(retentionFor('x'), retentionFor('x'), 'found once')
})

t.test('a wrong rule is named by its number', async (t) => {
  const wrong: [unknown, RegExp][] = [
    [{ pattern: 'a:**:b' }, /rule 2: "\*\*" in pattern/],
    [{ pattern: 'a', retentionEvnts: 1 }, /rule 2 has an unknown key "retentionEvnts"/],
    [{ pattern: 'a', retentionAge: 'long' }, /rule 2: it is not a duration/],
    [{}, /rule 2: pattern must have/],
    ['a', /rule 2 is not an object/],
  ]
  for (const [rule, fault] of wrong) {
    t.match(problems(file({ channels: [{ pattern: 'ok' }, rule] })), [{ fault }])
  }
  t.match(problems(file({ channels: {} })), [{ fault: /not a list/ }])
  t.match(problems({ env: { SLUICE_CHANNELS: '[]' } }), [{ fault: /the file only/ }])
})

t.test('the nearest name is near', async (t) => {
  t.equal(nearest('pubish', ['serve', 'publish', 'tail']), 'publish')
  t.equal(nearest('sevre', ['serve', 'publish', 'tail']), 'serve')
  t.equal(nearest('frobnicate', ['serve', 'publish', 'tail']), undefined)
})

const page = new URL('../docs/operating.md', import.meta.url)
t.test('the page for operators has every option with its default', async (t) => {
  const rows = readFileSync(page, 'utf8').split('\n')
  for (const option of OPTIONS) {
    const name = `\`${option.variable ?? option.key}\``
    // What only the file can hold is told in prose beside its example.
    const inProse = option.variable === undefined
    const row = rows.find((line) => (inProse || line[0] === '|') && line.includes(name))
    t.ok(row, `a row for ${name}`)
    if (option.fallback !== undefined) t.match(row, `\`${option.fallback}\``, name)
  }
})
