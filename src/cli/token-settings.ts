/** How tokens are signed here: what `sluice serve` reads, so that its gateway takes them. */
import { readFileSync } from 'node:fs'
import { TABLE, variableOf } from '../config/options.js'
import { Fault, isObject } from '../config/values.js'
import { type Config, ConfigError } from '../config.js'
import { type Io, UsageError } from './command.js'

/** Flags of `sluice token`, as they were given. */
export interface SettingFlags {
  readonly secret?: string
  readonly issuer?: string
  readonly audience?: string
  readonly claim?: string
}

export interface TokenSettings {
  readonly secret: string
  /** Undefined: all. */
  readonly algorithms: readonly string[] | undefined
  readonly issuer: string | undefined
  readonly audience: string | undefined
  /** Name of the claim that holds the rights. */
  readonly claim: string
}

/**
 * Rejected: loadConfig, which judges a configuration as a whole. That a gateway would have no business
 * on 0.0.0.0 is nothing that keeps a token from being signed.
 */
export function readSettings(flags: SettingFlags, env: Io['env']): TokenSettings {
  const file = readFile(env.SLUICE_CONFIG)

  function read<F extends keyof Config>(field: F, flag?: keyof SettingFlags) {
    const { key, locks, fallback, read } = TABLE[field]
    const variable = variableOf(key)
    const places: readonly (readonly [source: string, value: unknown])[] = [
      [`--${flag}`, flag && flags[flag]],
      // Empty is unset; but of a secret it is a fault, here as there.
      [variable, locks === true ? env[variable] : env[variable] || undefined],
      [`${env.SLUICE_CONFIG}: ${key}`, file[key]],
      ['default', fallback],
    ]
    const found = places.find(([, value]) => value !== undefined)
    if (found === undefined) return undefined
    const [source, value] = found
    try {
      return read(value)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      throw new ConfigError([{ source, fault: error.message, advice: error.advice }])
    }
  }

  // Of several secrets the first signs; the others are there for what was signed with them before.
  const secret = read('jwtSecrets', 'secret')?.[0]
  if (secret === undefined) {
    throw new UsageError(
      'there is no secret to sign with; the gateway needs the same one: ' +
        'export SLUICE_JWT_SECRET=$(openssl rand -base64 32)',
    )
  }
  return {
    secret,
    algorithms: read('jwtAlgorithms'),
    issuer: read('jwtIssuers', 'issuer')?.[0],
    audience: read('jwtAudiences', 'audience')?.[0],
    claim: read('jwtClaim', 'claim')!,
  }
}

function readFile(path: string | undefined): Readonly<Record<string, unknown>> {
  if (path === undefined || path === '') return {}
  let fault = 'it holds no JSON object'
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (isObject(value)) return value
  } catch (error) {
    fault = (error as Error).message
  }
  throw new ConfigError([{ source: 'SLUICE_CONFIG', fault, advice: 'name a JSON file, or none' }])
}
