/** Real clients read generations over lines that are cut, and end with what the upstream said. */
import t, { type Test } from 'tap'
import { pool } from '../support/publisher.js'
import { generationOf } from './support/formats.js'
import { READERS, type Reader } from './support/readers.js'
import { startLine, startStage } from './support/stage.js'
import { chanceOf, tokensOf } from './support/text.js'

const SEED = Number(process.env.TEST_SEED ?? 20261130)
const RUNS = 300
/** At a time. An EventSource waits 1–3 s before it comes back, so that many of them do little. */
const AT_ONCE = 20
const SOURCES_AT_ONCE = 75

type Stage = Awaited<ReturnType<typeof startStage>>

interface Judgement {
  readonly name: string
  readonly client: string
  readonly planned: number
  readonly cuts: number
  readonly asked: number
  readonly fault: string | undefined
}

/** One run over a line of its own, each of whose connections leads to a gateway chosen by chance. */
async function judge(t: Test, stage: Stage, reader: Reader, name: string): Promise<Judgement> {
  const random = chanceOf(name, SEED)
  const tokens = tokensOf(name, SEED)
  const planned = random.between(1, 5)
  const line = await startLine(
    t,
    random,
    () => random.choose(stage.gateways, 1)[0]!,
    budgets(reader, tokens, planned, random),
  )
  const gateway = random.choose(stage.gateways, 1)[0]!.url
  const seen = { text: '' }
  const fault = await reader.read({ line: line.url, gateway, name, seen }).then(
    () => difference(seen.text, tokens.join('')),
    (error: Error) => `${error.stack}`,
  )
  const { cuts } = line
  await line.stop()
  const asked = stage.upstream.asked(name)
  return { name, client: reader.client, planned, cuts, asked, fault }
}

/**
 * Bytes after which the connections are cut. Each fits in what is left to be read even where all were cut
 * as late as they may be, so that all of them come to pass. One in ten is cut in the head or soon after.
 */
function budgets(
  { format, reads }: Reader,
  tokens: readonly string[],
  count: number,
  random: ReturnType<typeof chanceOf>,
): number[] {
  const data = generationOf(format, tokens).map((event) => Buffer.byteLength(event.data))
  const size = data.reduce((sum, bytes) => sum + bytes, 0)
  const most = reads === 'on' ? Math.floor(size / count) : size
  return Array.from({ length: count }, () => {
    return random.between(1, random.next() < 0.1 ? 600 : most)
  })
}

function difference(got: string, wanted: string): string | undefined {
  if (Buffer.from(got).equals(Buffer.from(wanted))) return undefined
  let at = 0
  while (got[at] === wanted[at]) at++
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 40))
  return `${got.length} characters for ${wanted.length}, at ${at}: ${around(got)} for ${around(wanted)}`
}

t.test(
  '300 runs over lines that are cut: every client ends with all the text',
  { timeout: 110_000 },
  async (t) => {
    t.comment(`TEST_SEED=${SEED}`)
    const stage = await startStage(t, { seed: SEED })
    const judgements: Judgement[] = []
    const jobs = (readers: readonly Reader[], runs: number) =>
      Array.from({ length: runs }, (_, i) => async () => {
        const reader = readers[i % readers.length]!
        judgements.push(await judge(t, stage, reader, `${reader.format.replace('.', '-')}-${i}`))
      }).values()
    const sources = READERS.filter(({ client }) => client === 'eventsource')
    const others = READERS.filter(({ client }) => client !== 'eventsource')
    await Promise.all([
      pool(jobs(sources, RUNS / 4), SOURCES_AT_ONCE),
      pool(jobs(others, (RUNS * 3) / 4), AT_ONCE),
    ])

    const faults = judgements.filter(({ fault }) => fault !== undefined)
    t.same(faults.slice(0, 5), [], 'every text is the upstream’s, to the byte')
    t.equal(judgements.length, RUNS)
    t.same(
      judgements.filter(({ asked }) => asked !== 1).slice(0, 5),
      [],
      'nothing was generated twice',
    )
    t.same(
      judgements.filter(({ cuts, planned }) => cuts !== planned).slice(0, 5),
      [],
      'all cuts that were meant came to pass',
    )
    const cuts = judgements.reduce((sum, it) => sum + it.cuts, 0)
    t.comment(`${cuts} cuts`)
  },
)
