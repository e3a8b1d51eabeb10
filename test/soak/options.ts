import { parseArgs } from 'node:util'

export const TOPOLOGIES = ['standalone', 'sentinel', 'cluster'] as const
/** `memory`: one gateway with its embedded log, to try the soak itself. */
export type Topology = (typeof TOPOLOGIES)[number] | 'memory'
export type Mode = 'lossless' | 'lossy'
/** What is done to one delivered event on its way to the checker, which must then cry. */
export type Sabotage = 'drop' | 'double' | 'swap' | 'silent-gap'

export interface Options {
  /** One after the other, each for its share of the time. */
  readonly topologies: readonly Topology[]
  readonly mode: Mode
  /** Of all together. */
  readonly ms: number
  readonly seed: number
  /** Events per second. */
  readonly rate: number
  readonly sabotage: Sabotage | undefined
}

export const USAGE = `npm run soak [-- options]

  --minutes N        how long, shared by the topologies (10)
  --topology NAME    standalone, sentinel, cluster, or memory: one embedded log (the first three in turn)
  --mode MODE        lossless: nothing that was acknowledged may be lost, and no gap be told
                     lossy: Redis is made to lose events; what is missing must lie in a gap (lossless)
  --seed N           which faults come, and when (by chance; it is printed)
  --rate N           events per second (300)
  --sabotage WHAT    drop, double, swap or silent-gap: tampers with what the checker sees, which then
                     must complain
`

/** Throws with a message for people. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      topology: { type: 'string' },
      mode: { type: 'string', default: 'lossless' },
      seed: { type: 'string' },
      rate: { type: 'string', default: '300' },
      sabotage: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const number = (name: string, text: string): number => {
    const value = Number(text)
    if (!(value > 0)) throw new Error(`--${name} ${text}: not a number above 0`)
    return value
  }
  const one = <T extends string>(name: string, value: string, of: readonly T[]): T => {
    const found = of.find((each) => each === value)
    if (found === undefined) throw new Error(`--${name} ${value}: none of ${of.join(', ')}`)
    return found
  }
  const { topology, sabotage, seed } = values
  return {
    topologies:
      topology === undefined
        ? TOPOLOGIES
        : [one<Topology>('topology', topology, [...TOPOLOGIES, 'memory'])],
    mode: one<Mode>('mode', values.mode, ['lossless', 'lossy']),
    ms: number('minutes', values.minutes) * 60_000,
    rate: number('rate', values.rate),
    seed: seed === undefined ? Math.floor(Math.random() * 2 ** 31) : number('seed', seed),
    sabotage:
      sabotage === undefined
        ? undefined
        : one<Sabotage>('sabotage', sabotage, ['drop', 'double', 'swap', 'silent-gap']),
  }
}
