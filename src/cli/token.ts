/** `sluice token`: a token for development. In production the backend that knows its users signs them. */
import { parseArgs } from 'node:util'
import { infoText } from '../auth/info.js'
import { compileRights, parseGrants, type RightsClaim, RightsFault, VERBS } from '../auth/rights.js'
import { duration, Fault, HOUR } from '../config/values.js'
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js'
import type { Minted } from './minting.js'
import { columns, harmless, styleFor } from './style.js'
import { readSettings, type SettingFlags } from './token-settings.js'

const flags = [
  {
    flag: 'channels',
    takes: 'rights',
    many: true,
    help: "what may be done where: 'chat:*=subscribe,publish'; repeat it for more",
  },
  { flag: 'sub', takes: 'subject', help: 'whom it is about; the sender of their events [nobody]' },
  { flag: 'ttl', takes: 'duration', help: 'how long it counts: 30s, 5m, 1h, 7d [1h]' },
  { flag: 'info', takes: 'json', help: 'what others see of them who are present with them' },
  { flag: 'jti', takes: 'id', help: 'by which it can be revoked alone' },
  { flag: 'issuer', takes: 'name', help: '"iss" [the first of SLUICE_JWT_ISSUER]' },
  { flag: 'audience', takes: 'name', help: '"aud" [the first of SLUICE_JWT_AUDIENCE]' },
  { flag: 'claim', takes: 'name', help: 'claim of the rights [SLUICE_JWT_CLAIM, or sluice]' },
  {
    flag: 'secret',
    takes: 'secret',
    help: 'what signs it; rather in SLUICE_JWT_SECRET, for a flag shows in `ps` and the history',
  },
] as const

export const tokenCommand: Command = {
  name: 'token',
  summary: 'mint a token for development',
  usage: 'token --channels <rights> [options]',
  about:
    'Prints a token that a gateway with the same SLUICE_JWT_SECRET takes, and nothing else. For trying\n' +
    'things out; in production your backend signs tokens, with any JWT library.',
  flags,
  sections: [
    {
      title: 'Rights',
      rows: [
        ['chat:*=subscribe,publish', '* is one segment between ":", a last ** the rest'],
        ['user:{sub}=subscribe', '{sub} is the subject'],
        [
          'chat:*=subscribe,history:15m',
          'how far back: history:none, history:15m; else everything',
        ],
        ['verbs', VERBS.join(', ')],
      ],
    },
    {
      title: 'Environment',
      rows: [
        ['SLUICE_JWT_SECRET', 'what signs it; of several, separated by commas, the first'],
        ['SLUICE_JWT_…', 'ISSUER, AUDIENCE, CLAIM, ALGORITHMS: as for serve'],
        ['SLUICE_CONFIG', 'a JSON file with the same in camelCase: {"jwtSecret": "…"}'],
      ],
    },
  ],
  examples: [
    'export SLUICE_JWT_SECRET=$(openssl rand -base64 32)   # the gateway needs the same',
    "export SLUICE_TOKEN=$(sluice token --sub alice --channels 'chat:*=subscribe,publish')",
    `sluice token --sub alice --info '{"name":"Alice"}' --channels 'chat:*=subscribe,presence'`,
    "sluice token --sub bob --channels 'user:{sub}=subscribe' --channels 'chat:7=publish' --ttl 5m",
  ],
  run,
}

interface Values extends SettingFlags {
  readonly channels?: readonly string[]
  readonly sub?: string
  readonly ttl?: string
  readonly jti?: string
  readonly info?: string
}

/** ms: the longest time that any option knows. */
const MAX_TTL = 3650 * 24 * HOUR

async function run(args: readonly string[], io: Io): Promise<number> {
  const parsed = parseArgs({ args: [...args], options: parseOptions(flags) })
  const values = parsed.values as Values
  const { sub: subject, jti } = values
  const rights = readRights(values.channels)
  const ttlMs = readTtl(values.ttl)
  const info = readInfo(values.info)
  warn(rights, subject, io)
  const settings = readSettings(values, io.env)
  // Loaded only here: publish and tail start without jose.
  const { mint } = await import('./minting.js')
  const now = io.now ?? Date.now
  const minted = await mint(settings, { subject, jti, rights, info, ttlMs }, now())
  if (io.stderr.isTTY) io.stderr.write(summary(minted, io))
  io.stdout.write(`${minted.token}\n`)
  return EXIT.ok
}

function readRights(channels: readonly string[] | undefined): RightsClaim {
  if (channels === undefined) {
    throw new UsageError("say what it grants: --channels 'chat:*=subscribe,publish'")
  }
  try {
    return parseGrants(channels.join(' '))
  } catch (error) {
    if (!(error instanceof RightsFault)) throw error
    throw new UsageError(`--channels: ${error.message}`)
  }
}

function readInfo(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    return infoText(JSON.parse(text))
  } catch (error) {
    const why = error instanceof RightsFault ? error.message : 'it is not JSON'
    throw new UsageError(`--info: ${why}`)
  }
}

function readTtl(text = '1h'): number {
  try {
    return duration(1000, MAX_TTL)(text)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    throw new UsageError(`--ttl ${JSON.stringify(text)}: ${error.message}; ${error.advice}`)
  }
}

/** A token that grants less than it seems to is told, also where nobody reads the summary. */
function warn(rights: RightsClaim, subject: string | undefined, io: Io): void {
  const patterns = Object.entries(rights.channels ?? {})
  const idle = patterns.filter(([pattern, words]) => {
    const { claim } = compileRights({ channels: { [pattern]: words } }, subject)
    return Object.values(claim.channels ?? {}).every((granted) => granted.length === 0)
  })
  const why = (pattern: string) => {
    if (!pattern.includes('{sub}')) return 'its words grant nothing'
    if (subject === undefined) return '{sub} needs a subject: --sub'
    return 'the subject can’t stand in one segment of a channel’s name'
  }
  const faults = idle.map(([pattern]) => `${pattern} grants nothing: ${why(pattern)}`)
  if (idle.length === patterns.length) throw new UsageError(faults.join('\n'))
  const style = styleFor(io.stderr, io.env)
  for (const fault of faults) io.stderr.write(`${style.alarm('sluice:')} ${harmless(fault)}\n`)
}

function summary({ identity }: Minted, io: Io): string {
  const style = styleFor(io.stderr, io.env)
  const { subject, expires, rights } = identity
  const who = style.bold(harmless(subject ?? 'somebody nameless'))
  const rows = Object.entries(rights.claim.channels ?? {}).filter(([, words]) => words.length > 0)
  const until = new Date(expires).toString().slice(0, 24)
  return `${who} may, until ${until}\n${columns(rows.map(([pattern, words]) => [pattern, words.join(', ')]))}`
}
