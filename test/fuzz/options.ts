import { parseArgs } from 'node:util'

/** What is broken in the gateway on purpose; `saboteur.mjs` knows how. */
export const SABOTAGES = [
  ...['crash', 'error-500', 'plain-404', 'bad-framing', 'no-answer', 'lost-event', 'error-line'],
  ...['lost-descriptors', 'lost-memory'],
]

export interface Options {
  /** Of the attack, warm-up included; the rests come on top. */
  readonly ms: number
  readonly seed: number
  /** With keys: tokens on most requests. */
  readonly locked: boolean
  /** Variables of the gateway, on top of all others. */
  readonly env: Readonly<Record<string, string>>
  /** The only attacks that are run, by their numbers. */
  readonly only: { readonly from: number; readonly to: number } | undefined
  /** ms in which the gateway has to give back all that attackers held. */
  readonly settle: number
  readonly sabotage: readonly string[]
}

export const USAGE = `npm run fuzz [-- options]

  --minutes N        how long (2)
  --seed N           what is sent (by chance; it is printed)
  --only N, N-M      only these attacks of that seed, one after the other
  --locked           a gateway with keys, and tokens on most requests
  --env NAME=VALUE   a variable of the gateway; repeat it for more
  --settle N         seconds in which all that attackers held must be back (20)
  --sabotage WHAT    breaks the gateway, and the run must fail: ${SABOTAGES.slice(0, 4).join(', ')},
                     ${SABOTAGES.slice(4).join(', ')}; several with commas
`

/** Throws with a message for people. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '2' },
      seed: { type: 'string' },
      only: { type: 'string' },
      locked: { type: 'boolean', default: false },
      env: { type: 'string', multiple: true, default: [] },
      settle: { type: 'string', default: '20' },
      sabotage: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const above = (name: 'minutes' | 'settle'): number => {
    const value = Number(values[name])
    if (!(value > 0)) throw new Error(`--${name} ${values[name]}: not a number above 0`)
    return value
  }
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed}: not a whole number`)
  const sabotage = values.sabotage?.split(',') ?? []
  const unknown = sabotage.find((each) => !SABOTAGES.includes(each))
  if (unknown !== undefined)
    throw new Error(`--sabotage ${unknown}: none of ${SABOTAGES.join(', ')}`)
  const env = Object.fromEntries(values.env.map(readVariable))
  return {
    ...{ seed, env, sabotage, locked: values.locked, only: readOnly(values.only) },
    ms: above('minutes') * 60_000,
    settle: above('settle') * 1_000,
  }
}

function readVariable(text: string): [string, string] {
  const [, name, value] = /^(\w+)=(.*)$/s.exec(text) ?? []
  if (name === undefined) throw new Error(`--env ${text}: not NAME=VALUE`)
  return [name, value!]
}

function readOnly(text: string | undefined): Options['only'] {
  if (text === undefined) return undefined
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? []
  if (from === undefined) throw new Error(`--only ${text}: neither N nor N-M`)
  return { from: Number(from), to: Number(to) }
}
