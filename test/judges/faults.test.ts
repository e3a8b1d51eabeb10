/** What real clients make of gateways that die or stop, and of generations that somebody stops. */
import t, { type Test } from 'tap'
import { formatOf } from '../../src/runs/formats.js'
import type { Run } from '../../src/runs/run.js'
import { ask } from '../routes/support/ask.js'
import { open, type Stream } from '../routes/support/stream.js'
import type { GatewayProcess } from '../support/gateway.js'
import { PATHS } from './support/formats.js'
import { type Asking, READERS, type Reader, runOf } from './support/readers.js'
import { startLine, startStage } from './support/stage.js'
import { chanceOf, tokensOf } from './support/text.js'
import { halvesOf } from './support/upstream.js'

const SEED = Number(process.env.TEST_SEED ?? 20261130)
/** Of a generation, before it falls silent. */
const SAYS = 0.5

/** One for each format, of those that show a text while it comes. */
const CLIENTS = READERS.filter(({ client }) => !/helper|loaded again/.test(client))

type Stage = Awaited<ReturnType<typeof startStage>>

interface Reading extends Asking {
  readonly run: string
  readonly reader: Reader
  /** What is said before the silence. */
  readonly half: string
  /** What is read of the run at another gateway, without any SDK. */
  readonly witness: Stream
  /** Undefined: the client takes what it has for whole. */
  readonly failure: Promise<Error | undefined>
}

/**
 * Runs that the gateway `at` holds, each read by a client over a line that leads to the gateway `lead.to`.
 * Resolves when all is there that is said at first.
 */
async function startReading(
  t: Test,
  stage: Stage,
  at: GatewayProcess,
  lead: { to: GatewayProcess },
): Promise<Reading[]> {
  return Promise.all(
    CLIENTS.map(async (reader) => {
      const name = reader.format.replace('.', '-')
      const run = runOf(reader, name)
      const line = await startLine(t, chanceOf(name, SEED), () => lead.to)
      const { said } = halvesOf(reader.format, tokensOf(name, SEED), SAYS)
      await begin(at.url, reader, name)
      const asking: Asking = { line: line.url, gateway: at.url, name, seen: { text: '' } }
      const failure = reader.read(asking).then(
        () => undefined,
        (error: Error) => error,
      )
      const witness = await open(`${stage.gateways[1].url}/v1/runs/${run}/events`)
      t.teardown(witness.close)
      await witness.until(() => pieces(witness).length === said.length)
      return { ...asking, run, reader, witness, failure, half: textOf(reader, pieces(witness)) }
    }),
  )
}

/** Asks as the client will, with the same key, and leaves. */
async function begin(gateway: string, reader: Reader, name: string): Promise<void> {
  const path = Object.keys(PATHS).find((path) => PATHS[path] === reader.format)
  const run = runOf(reader, name)
  const answer = await open(`${gateway}/v1/relay/llm${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'sluice-run': run, 'idempotency-key': run },
    body: JSON.stringify({ model: name }),
  })
  answer.close()
}

function pieces({ blocks }: Stream) {
  return blocks.flatMap(({ event: name = 'message', data }) =>
    data === undefined ? [] : [{ name, data }],
  )
}

function textOf({ format }: Reader, events: ReturnType<typeof pieces>): string {
  if (format === 'plain') {
    return events.map(({ data }) => (JSON.parse(data) as { piece?: string }).piece ?? '').join('')
  }
  const reading = formatOf(format).read()
  for (const event of events) reading.feed(event)
  return reading.text!
}

async function stateOf(gateway: string, run: string): Promise<Run> {
  return (await ask(`${gateway}/v1/runs/${run}`)).json
}

t.test(
  'the gateway dies that holds the upstream: within 20 s every client throws',
  { timeout: 60_000 },
  async (t) => {
    const stage = await startStage(t, { seed: SEED, says: SAYS })
    const [first, second] = stage.gateways
    const lead = { to: first }
    const readings = await startReading(t, stage, first, lead)
    lead.to = second
    const from = performance.now()
    await first.kill('SIGKILL')
    for (const { reader, name, run, seen, half, witness, failure } of readings) {
      const { client } = reader
      t.match((await failure)?.message, /Its producer is gone/, client)
      t.equal(seen.text, half, `${client}: everything up to there`)
      t.equal(await witness.over(), 'end', client)
      t.match(
        pieces(witness)
          .map(({ data }) => data)
          .join('\n'),
        /Its producer is gone/,
        client,
      )
      const state = await stateOf(second.url, run)
      t.match(state, { state: 'error', error: { code: 'producer_gone' } }, client)
      if (reader.format !== 'plain') t.equal(state.text, half, client)
      t.equal(stage.upstream.asked(name), 1, `${client}: nobody asked again`)
    }
    const took = performance.now() - from
    t.ok(took < 20_000, `${took} ms`)
  },
)

t.test('stopped at the other gateway: the upstream is let go of within a second', async (t) => {
  const stage = await startStage(t, { seed: SEED, says: SAYS })
  const [first, second] = stage.gateways
  const readings = await startReading(t, stage, first, { to: first })
  for (const { reader, name, run, seen, half, witness, failure } of readings) {
    const { client, format } = reader
    const from = performance.now()
    const stop = await ask(`${second.url}/v1/runs/${run}/stop`, { method: 'POST' })
    t.equal(stop.status, 200)
    await stage.upstream.abandoned(name)
    const took = performance.now() - from
    t.ok(took < 1000, `${client}: ${took} ms`)
    const told = await failure
    // As where the page itself had stopped it. An EventSource has a listener for it, or none.
    if (format === 'ai-sdk' || format === 'plain') t.equal(told, undefined, client)
    else t.match(told?.message, /stopped/, client)
    t.equal(seen.text, half, client)
    t.equal(await witness.over(), 'end', client)
    t.match(await stateOf(first.url, run), { state: 'aborted' }, client)
  }
})

t.test(
  'a gateway drains: its readers are cut, never ended, and go on at the other one',
  async (t) => {
    const stage = await startStage(t, { seed: SEED, says: SAYS }, { drainTime: '2s' })
    const [first, second] = stage.gateways
    const lead = { to: first }
    const readings = await startReading(t, stage, second, lead)
    const bare = await Promise.all(
      readings.map(({ run }) => open(`${first.url}/v1/runs/${run}/events`)),
    )
    for (const [i, stream] of bare.entries()) {
      await stream.until(() => textOf(readings[i]!.reader, pieces(stream)) === readings[i]!.half)
    }
    lead.to = second
    const stopped = first.stop()
    for (const [i, stream] of bare.entries()) {
      t.equal(await stream.over(), 'cut', readings[i]!.reader.client)
    }
    await stopped
    stage.upstream.release()
    for (const { reader, name, run, seen, failure } of readings) {
      t.equal(await failure, undefined, reader.client)
      t.equal(seen.text, tokensOf(name, SEED).join(''), reader.client)
      t.match(await stateOf(second.url, run), { state: 'done' }, reader.client)
    }
  },
)

t.test('a gateway that stops ends what it still holds, and every client throws', async (t) => {
  const stage = await startStage(t, { seed: SEED, says: SAYS }, { drainTime: '500ms' })
  const [first, second] = stage.gateways
  const lead = { to: first }
  const readings = await startReading(t, stage, first, lead)
  lead.to = second
  await first.stop()
  for (const { reader, run, seen, half, witness, failure } of readings) {
    const { client } = reader
    t.match((await failure)?.message, /was shut down/, client)
    t.equal(seen.text, half, client)
    t.equal(await witness.over(), 'end', client)
    const state = { state: 'error', error: { code: 'gateway_shutdown' } }
    t.match(await stateOf(second.url, run), state, client)
  }
})
