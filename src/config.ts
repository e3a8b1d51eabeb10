/**
 * Configuration: one table (config/options.ts) says everything about every option, and the variables,
 * the flags, the keys of the file, `--help` and the page for operators all follow from it.
 *
 * A flag beats the environment, the environment beats the file, the file beats the default.
 */
import { nearest } from './config/nearest.js'
import { dashed, FIELDS, OPTIONS, type Spec, TABLE, variableOf } from './config/options.js'
import type { Config } from './config/types.js'
import { Fault, isLoopback, isObject } from './config/values.js'

export { nearest } from './config/nearest.js'
export { OPTIONS, type Option } from './config/options.js'
export { createPresenceRule } from './config/presence.js'
export { createRetention } from './config/retention.js'
export type { ChannelRule, Config, LogLevel } from './config/types.js'
export { isLoopback } from './config/values.js'

/** Variables that the other commands read. */
const OTHER_VARIABLES = ['SLUICE_URL', 'SLUICE_TOKEN']
/** Where a value comes from that nobody gave. */
const DEFAULT = 'default'

export interface ConfigProblem {
  /** Where it came from: `SLUICE_PORT`, `--port`, `sluice.json: port`. */
  readonly source: string
  readonly fault: string
  /** What to do. */
  readonly advice: string
}

/** Everything that is wrong with a configuration, at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((p) => `${p.source}: ${p.fault}; ${p.advice}`).join('\n'))
    this.problems = problems
  }
}

export interface ConfigSources {
  /** Default: empty. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** By flag name without dashes; `true` where a flag had no value. Default: empty. */
  readonly flags?: Readonly<Record<string, string | boolean | undefined>>
  /** Gives the text of the file, or throws. Default: there is no file. */
  readonly readFile?: (path: string) => string
  /** What a program says instead of a file, by the file's keys. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** The configuration, or a ConfigError with everything that is wrong. */
export function loadConfig(sources: ConfigSources = {}): Config {
  const { env = {}, flags = {} } = sources
  const problems: ConfigProblem[] = []
  const path = text(flags.config) ?? text(env.SLUICE_CONFIG)
  if (flags.config === true) problems.push(noValue('config'))
  problems.push(...emptyLocks(sources.options ?? {}))
  const file =
    path === undefined ? (sources.options ?? {}) : readObject(path, sources.readFile, problems)

  const fileName = path?.split('/').at(-1) ?? 'options'
  findUnknown(env, flags, file, fileName, problems)

  const config: { -readonly [F in keyof Config]?: Config[F] } = {}
  /** As whoever configured it wrote it. */
  const said: { [F in keyof Config]?: string } = {}
  const read = <F extends keyof Config>(field: F): void => {
    const spec = TABLE[field]
    const { source, value } = findValue(spec, env, flags, file, fileName)
    said[field] = source
    if (value === undefined) return
    if (value === true && source.startsWith('--')) {
      problems.push(noValue(spec.key))
      return
    }
    try {
      config[field] = spec.read(value)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const shown = spec.secret === true || typeof value === 'object' ? '' : ` ${quote(value)}`
      problems.push({ source: source + shown, fault: error.message, advice: error.advice })
    }
  }
  for (const field of FIELDS) read(field)

  const { maxEventBytes, maxBodyBytes, workers, redisUrl, redisMinReplicas } = config
  if (maxEventBytes !== undefined && maxBodyBytes !== undefined && maxEventBytes > maxBodyBytes) {
    const fault = 'an event may be larger than the body that brings it'
    const advice = 'raise maxBodySize or lower maxEventSize'
    const sources = [said.maxEventBytes, said.maxBodyBytes].filter((one) => one !== DEFAULT)
    problems.push({ source: sources.join(', '), fault, advice })
  }
  if (workers !== undefined && workers > 1 && redisUrl === undefined && problems.length === 0) {
    const fault = `${workers} workers need a log that they share`
    const advice = 'give them a Redis with --redis-url or SLUICE_REDIS_URL, or run one worker'
    problems.push({ source: said.workers!, fault, advice })
  }
  if (redisMinReplicas && redisUrl === undefined && problems.length === 0) {
    const fault = 'a log in memory has no replicas'
    const advice = 'give it a Redis with --redis-url or SLUICE_REDIS_URL, or leave it out'
    problems.push({ source: said.redisMinReplicas!, fault, advice })
  }
  if (problems.length === 0) judgeDoors({ ...UNSET, ...config } as Config, said, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  // Every field has been read, or is optional: else there were a problem.
  return { ...UNSET, ...config } as Config
}

/** What is there where nobody says anything and there is no default to read. */
const UNSET = {
  redisUrl: undefined,
  channels: [],
  upstreams: {},
  iceServers: undefined,
  apiKeys: [],
  jwtSecrets: [],
  jwtPublicKeys: [],
  jwksUrl: undefined,
  jwtAlgorithms: undefined,
  jwtIssuers: [],
  jwtAudiences: [],
  anonymous: undefined,
  authorizeUrl: undefined,
  authorizeKey: undefined,
  allowedHosts: undefined,
  trustedProxies: [],
} satisfies Partial<Config>

/** `apiKey: process.env.KEY` where nobody has set it: an application that believes that it is locked. */
function emptyLocks(options: Readonly<Record<string, unknown>>): ConfigProblem[] {
  return FIELDS.map((field) => TABLE[field]).flatMap(({ key, locks }) => {
    if (locks !== true || !Object.hasOwn(options, key) || options[key] !== undefined) return []
    return {
      source: `options: ${key}`,
      fault: 'it is undefined, and locks nothing',
      advice: 'give it a value, or leave it out',
    }
  })
}

/** Whether tokens can be verified. */
function takesTokens({ jwtSecrets, jwtPublicKeys, jwksUrl }: Config): boolean {
  return jwtSecrets.length + jwtPublicKeys.length > 0 || jwksUrl !== undefined
}

/** Whether callers must say who they are; else everybody on this machine may do everything. */
export function isLocked(config: Config): boolean {
  return config.apiKeys.length > 0 || takesTokens(config)
}

/** For the log. */
export function modeOf(config: Config): 'open' | 'locked' {
  return isLocked(config) ? 'locked' : 'open'
}

/** A gateway that looks locked and is open is worse than either. */
function judgeDoors(
  config: Config,
  said: { readonly [F in keyof Config]?: string },
  problems: ConfigProblem[],
): void {
  const of = (field: keyof Config) => said[field] ?? DEFAULT
  const keys = 'SLUICE_JWT_SECRET, SLUICE_JWT_PUBLIC_KEY, SLUICE_JWKS_URL or SLUICE_API_KEY'
  const trial = [...config.apiKeys, ...config.jwtSecrets].find((it) =>
    /for-trying-things-out/.test(it),
  )
  if (trial !== undefined && !isLoopback(config.host)) {
    const fault = 'its keys are those of the README, which everybody knows'
    problems.push({ source: of('host'), fault, advice: 'make some: openssl rand -base64 32' })
  }
  if (!isLocked(config)) {
    if (!isLoopback(config.host)) {
      const fault = 'others could reach it, and it has no keys, so that anybody might do anything'
      const advice = `set ${keys}; or listen on 127.0.0.1`
      problems.push({ source: of('host'), fault, advice })
    }
    const useless = [
      'anonymous',
      'authorizeUrl',
      'jwtIssuers',
      'jwtAudiences',
      'jwtAlgorithms',
    ] as const
    for (const field of useless) {
      if (of(field) === DEFAULT) continue
      const fault = 'without keys the gateway is open to all of this machine, whatever this says'
      problems.push({ source: of(field), fault, advice: `set ${keys}, or remove it` })
    }
  } else if (!takesTokens(config)) {
    for (const field of ['jwtIssuers', 'jwtAudiences', 'jwtAlgorithms'] as const) {
      if (of(field) === DEFAULT) continue
      const fault = 'there is no key that a token could be verified with'
      const advice = 'set SLUICE_JWT_SECRET, SLUICE_JWT_PUBLIC_KEY or SLUICE_JWKS_URL, or remove it'
      problems.push({ source: of(field), fault, advice })
    }
  }
  if (config.authorizeKey !== undefined && config.authorizeUrl === undefined) {
    const fault = 'there is nobody to send it to'
    problems.push({ source: of('authorizeKey'), fault, advice: 'set SLUICE_AUTHORIZE_URL as well' })
  }
}

function findValue(
  spec: Spec<unknown>,
  env: NonNullable<ConfigSources['env']>,
  flags: NonNullable<ConfigSources['flags']>,
  file: Readonly<Record<string, unknown>>,
  fileName: string,
): { source: string; value: unknown } {
  const flag = dashed(spec.key)
  const variable = variableOf(spec.key)
  if (spec.fileOnly !== true) {
    if (flags[flag] !== undefined) return { source: `--${flag}`, value: flags[flag] }
    // An empty variable is an unset one: what `SLUICE_X=${X}` of a compose file leaves behind.
    const given = spec.locks === true ? env[variable] !== undefined : text(env[variable])
    if (given) return { source: variable, value: env[variable] }
  }
  if (file[spec.key] !== undefined) {
    return { source: `${fileName}: ${spec.key}`, value: file[spec.key] }
  }
  return { source: DEFAULT, value: spec.fallback }
}

function findUnknown(
  env: NonNullable<ConfigSources['env']>,
  flags: NonNullable<ConfigSources['flags']>,
  file: Readonly<Record<string, unknown>>,
  fileName: string,
  problems: ConfigProblem[],
): void {
  const judge = (source: string, name: string, known: string[]) => {
    if (!known.includes(name)) problems.push({ source, ...unknown(name, known) })
  }
  const variables = OPTIONS.flatMap((o) => o.variable ?? []).concat(OTHER_VARIABLES)
  for (const name of Object.keys(env)) {
    if (!name.startsWith('SLUICE_') || env[name] === undefined) continue
    if (FILE_ONLY_KEYS.map(variableOf).includes(name)) problems.push({ source: name, ...FILE_ONLY })
    else judge(name, name, variables)
  }
  const flagNames = OPTIONS.flatMap((o) => o.flag ?? [])
  for (const name of Object.keys(flags)) {
    if (FILE_ONLY_KEYS.includes(name)) problems.push({ source: `--${name}`, ...FILE_ONLY })
    else judge(`--${name}`, name, flagNames)
  }
  const keys = OPTIONS.flatMap((o) => o.key ?? [])
  for (const name of Object.keys(file)) judge(`${fileName}: ${name}`, name, keys)
}

const FILE_ONLY_KEYS = OPTIONS.flatMap(({ key, flag }) => (flag === undefined && key ? [key] : []))
const FILE_ONLY = {
  fault: 'this fits into the file only',
  advice:
    'write it, under its name in camelCase, into the file that SLUICE_CONFIG or --config names',
}

function unknown(name: string, known: readonly string[]): { fault: string; advice: string } {
  const near = nearest(name, known)
  const advice = near === undefined ? 'sluice serve --help lists all' : `did you mean ${near}?`
  return { fault: 'there is no such option', advice }
}

function noValue(key: string): ConfigProblem {
  const flag = dashed(key)
  return { source: `--${flag}`, fault: 'it has no value', advice: `write --${flag}=<value>` }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function quote(value: unknown): string {
  return JSON.stringify(value).slice(0, 80)
}

function readObject(
  path: string,
  readFile: ConfigSources['readFile'],
  problems: ConfigProblem[],
): Readonly<Record<string, unknown>> {
  const tell = (fault: string, advice: string) => {
    problems.push({ source: path, fault, advice })
    return {}
  }
  let text: string
  try {
    if (readFile === undefined) throw new Error('files are not read here')
    text = readFile(path)
  } catch (error) {
    return tell((error as Error).message, 'give the path of a JSON file with an object in it')
  }
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
    return tell('it holds no JSON object', 'write {"port": 8080}, with the options by their names')
  } catch (error) {
    // V8's words hold what stands there, which may be a key.
    return tell(
      `it is not JSON${placeOf(error, text)}`,
      'mend it there: JSON has no comments and no comma before } or ]',
    )
  }
}

/** Where JSON.parse stumbled, as editors count; empty where it doesn't tell. */
function placeOf(error: unknown, text: string): string {
  const { message } = error as Error
  const at = /at position (\d+)/.exec(message)?.[1]
  if (at === undefined && !message.includes('end of JSON')) return ''
  const before = at === undefined ? text : text.slice(0, Number(at))
  const lines = before.split('\n')
  return `: line ${lines.length}, column ${lines.at(-1)!.length + 1}`
}
