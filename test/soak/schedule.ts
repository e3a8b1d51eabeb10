/** Which fault comes when: by chance, but each kind as often as the others, and within the time. */
import type { Random } from '../support/random.js'
import type { Fault } from './fault.js'

export interface Happened {
  readonly name: string
  /** Clock of the run, ms. */
  readonly from: number
  readonly to: number
  /** Something that happens to clients all the time. */
  readonly light: boolean
  /** Why it could not be done, or not mended. */
  readonly error: string | undefined
}

export interface ScheduleOptions {
  readonly faults: readonly Fault[]
  readonly random: Random
  readonly clock: () => number
  /** Clock of the run at which the last fault should be over. */
  readonly end: number
  /** ms between the end of one fault and the beginning of the next, at least and at most. */
  readonly pause: readonly [from: number, to: number]
  readonly light: boolean
  /** ms that gateways' and Redis's own accidents are kept apart; see Fault. */
  readonly apart: number
  readonly onStart: (fault: Fault) => void
  readonly onEnd: (what: Happened) => void
}

export async function runFaults(options: ScheduleOptions): Promise<void> {
  const { random, clock, apart, end, light } = options
  /** Ends of the last accidents of each kind. */
  const last = { witness: -apart, epoch: -apart }
  const left = () => end - clock()
  let deck: Fault[] = []
  let rounds = 0
  const rank = ({ touches }: Fault): number => (touches === 'epoch' ? 0 : 1)

  const allowed = ({ touches }: Fault): boolean =>
    touches === undefined || clock() - last[touches === 'witness' ? 'epoch' : 'witness'] >= apart
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  while (left() > 0) {
    await sleep(random.between(...options.pause))
    if (deck.length === 0) {
      deck = random.choose(options.faults, options.faults.length)
      // A run of a minute should have seen them all: first those that others must keep away from.
      if (rounds++ === 0) deck.sort((a, b) => rank(a) - rank(b))
    }
    deck = deck.filter(({ takes }) => takes <= left())
    if (deck.length === 0) return
    const at = deck.findIndex(allowed)
    if (at === -1) continue
    const [fault] = deck.splice(at, 1)
    options.onStart(fault!)
    const from = clock()
    let error: string | undefined
    await fault!.run(random).catch((reason: unknown) => {
      error = String(reason)
    })
    const to = clock()
    if (fault!.touches !== undefined) last[fault!.touches] = to
    options.onEnd({ name: fault!.name, light, from, to, error })
  }
}
