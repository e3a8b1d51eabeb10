/** One topology: everything is started, troubled for a while, healed, and judged. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Complaint, check } from '../support/checker.js'
import { startCutter } from '../support/cutter.js'
import { startNginx } from '../support/nginx.js'
import { type Random, seeded } from '../support/random.js'
import type { Seen } from '../support/sse-reader.js'
import { deploy } from './deployments.js'
import { type Fault, seconds } from './fault.js'
import { median, recoveries, silences, undelivered } from './figures.js'
import { type Fleet, startFleet } from './fleet.js'
import type { Options, Topology } from './options.js'
import { type Readers, startReaders } from './readers.js'
import { type Happened, runFaults } from './schedule.js'
import { startWriters, type Writers } from './writers.js'

const WRITERS = 20
const STREAMS = 50
const CHANNELS = 150
const CHANNELS_EACH = 50
const GATEWAYS = 3
/** ms between accidents of gateways and of Redis; see Fault. */
const APART = 8_000
/** ms without any of the last events reaching a stream that is due one: it is taken for stuck. */
const STUCK = 45_000
/** Gateways that stay silent are given up after 10 s, and only then is all that was lost told. */
const LOSSES_TOLD = 15_000

export interface Outcome {
  readonly ok: boolean
}

/** Undone in the reverse order, whatever happens. */
export type Cleanup = (undo: () => Promise<void> | void) => void

export async function runTopology(
  topology: Topology,
  ms: number,
  options: Options,
  cleanup: Cleanup,
): Promise<Outcome> {
  const { mode, seed } = options
  const began = performance.now()
  const clock = (): number => Math.round(performance.now() - began)
  const say = (text: string): void => console.log(text)
  say(`\n${topology}, ${mode}, seed ${seed}`)

  const deployment = await deploy(topology, mode)
  cleanup(deployment.stop)
  const fleet = await startFleet(topology === 'memory' ? 1 : GATEWAYS, deployment.env)
  cleanup(fleet.stop)
  const nginx = await startNginx({ upstreams: fleet.ports })
  cleanup(nginx.stop)
  const cut = { target: nginx.port, random: seeded(seed + 1), budget: () => undefined }
  const [readersDoor, writersDoor] = [await startCutter(cut), await startCutter(cut)]
  cleanup(readersDoor.stop)
  cleanup(writersDoor.stop)

  const channels = Array.from({ length: CHANNELS }, (_, i) => `soak:${i}`)
  const gaps: string[] = []
  const readers = startReaders({
    ...{ url: readersDoor.url, count: STREAMS, channels, channelsEach: CHANNELS_EACH },
    ...{ random: seeded(seed + 2), clock, sabotage: options.sabotage },
    onGap(reader, seen) {
      const text = `${time(clock())} ${reader} was told ${JSON.stringify(seen)}`
      // Each gap is a complaint in a lossless run; the first few say enough.
      if (gaps.push(text) <= 3 && mode === 'lossless') say(`  GAP ${text}`)
    },
  })
  cleanup(readers.stop)
  await readers.live()
  say(`  ${time(clock())}  all is up`)
  const writers = startWriters({
    ...{ url: writersDoor.url, count: WRITERS, rate: options.rate, channels },
    ...{ random: seeded(seed + 3), clock },
  })

  const happened: Happened[] = []
  const counts = new Map<string, number>()
  const onStart = ({ name }: Fault): void => void counts.set(name, (counts.get(name) ?? 0) + 1)
  const onEnd = (what: Happened): void => {
    happened.push(what)
    if (what.error !== undefined) say(`  ${time(what.to)} ${what.name}: ${what.error}`)
  }
  const progress = setInterval(() => {
    const { acknowledged, retries } = writers
    say(
      `  ${time(clock())}  ${acknowledged.length} events, ${readers.deliveries} deliveries, ` +
        `${readers.reconnects} reconnects, ${retries} retries, ${gaps.length} gaps, ` +
        `${happened.length} faults${lately(happened, clock() - 10_000)}`,
    )
  }, 10_000)
  cleanup(() => clearInterval(progress))

  const common = { clock, end: clock() + Math.max(ms - clock() - 4_000, ms / 2), onStart, onEnd }
  const apart = mode === 'lossless' ? APART : 0
  const lanes = [
    runFaults({
      ...common,
      ...{ faults: doors(readersDoor, writersDoor, nginx), random: seeded(seed + 4) },
      ...{ pause: [500, 2_500], apart: 0, light: true },
    }),
  ]
  const heavy = [...(topology === 'memory' ? [] : gateways(fleet)), ...deployment.faults]
  if (heavy.length > 0) {
    const how = {
      faults: heavy,
      random: seeded(seed),
      pause: [300, 1_500],
      apart,
      light: false,
    } as const
    lanes.push(runFaults({ ...common, ...how }))
  }
  await Promise.all(lanes)

  await deployment.settled()
  if (mode === 'lossy') await new Promise((resolve) => setTimeout(resolve, LOSSES_TOLD))
  await writers.finish()
  const last = await writers.last(channels)
  const stuck = await readers.seen(last, STUCK)
  clearInterval(progress)
  await readers.stop()

  const { acknowledged, uncertain } = writers
  const lossy = mode === 'lossy'
  const complaints = check({ acknowledged, uncertain, readers: readers.records(), lossy })
  const faults = happened.filter(({ error }) => error !== undefined)
  const ok =
    complaints.length + stuck.size + writers.refused.length + faults.length === 0 &&
    acknowledged.length > channels.length

  const all = [...silences(readers.all, acknowledged)]
  const longest = all.reduce((a, b) => (b.ms > a.ms ? b : a), { reader: 'none', at: 0, ms: 0 })
  const kinds = [...counts].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ${n}`)
  say(`  events       ${acknowledged.length} acknowledged, ${uncertain.length} uncertain`)
  say(
    `  deliveries   ${readers.deliveries} to ${STREAMS} streams, ${readers.reconnects} reconnects`,
  )
  say(`  faults       ${kinds.join(', ')}`)
  const lost = undelivered(readers.all, acknowledged)
  say(`  gaps told    ${gaps.length}; deliveries that were due and never came: ${lost}`)
  say(`  silence      ${longest.ms} ms at most (${longest.reader}, until ${time(longest.at)})`)
  for (const [name, worst] of recoveries(all, happened)) {
    say(`    ${name}: ${median(worst)} ms in the median, ${Math.max(...worst)} ms at most`)
  }
  say(`  complaints   ${ok ? 'none' : complaints.length}`)
  if (!ok) {
    const what = { complaints, stuck, writers, readers, happened, gaps, fleet, seed, topology }
    const lines = explain(what)
    say(lines.join('\n'))
    // What was broken on purpose needs no inquest.
    if (options.sabotage === undefined) say(`\neverything else is in ${await keep(lines, what)}`)
  }
  return { ok }
}

/** What befalls clients and nginx, all the time. */
function doors(
  readers: { cutAll(share?: number): void },
  writers: { cutAll(share?: number): void },
  nginx: { reload(): void },
): Fault[] {
  const cutReaders: Fault = {
    name: 'streams cut',
    takes: 0,
    run: async (random) => readers.cutAll(random.next()),
  }
  const cutWriters: Fault = {
    name: 'requests cut',
    takes: 0,
    run: async (random) => writers.cutAll(random.next()),
  }
  const reloaded: Fault = { name: 'nginx reloaded', takes: 0, run: async () => nginx.reload() }
  return [cutReaders, cutReaders, cutReaders, cutWriters, cutWriters, reloaded]
}

function gateways(fleet: Fleet): Fault[] {
  const any = (random: Random): number => random.between(0, fleet.ports.length - 1)
  return [
    {
      name: 'gateway killed',
      touches: 'witness',
      takes: 2_000,
      run: (random) => fleet.replace(any(random)),
    },
    {
      name: 'gateway frozen',
      touches: 'witness',
      takes: 10_500,
      async run(random) {
        const index = any(random)
        await fleet.freeze(index)
        await seconds(random, 10, 10)
        await fleet.thaw(index)
      },
    },
  ]
}

function time(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(6)} s`
}

function lately(happened: readonly Happened[], since: number): string {
  const names = happened.filter(({ to, light }) => to >= since && !light)
  return names.length === 0 ? '' : ` (${names.map(({ name }) => name).join(', ')})`
}

interface Case {
  readonly complaints: readonly Complaint[]
  readonly stuck: ReadonlyMap<string, readonly string[]>
  readonly writers: Writers
  readonly readers: Readers
  readonly happened: readonly Happened[]
  readonly gaps: readonly string[]
  readonly fleet: Fleet
  readonly seed: number
  readonly topology: Topology
}

/** Enough to understand it. */
function explain(what: Case): string[] {
  const { complaints, stuck, writers, readers, happened, seed, topology } = what
  const lines: string[] = [`seed ${seed}, ${topology}`]
  const kinds = new Map<string, Complaint[]>()
  for (const each of complaints) kinds.set(each.kind, [...(kinds.get(each.kind) ?? []), each])
  for (const [kind, list] of kinds) lines.push(`${kind}: ${list.length}`)
  for (const text of writers.refused.slice(0, 5)) lines.push(`refused: ${text}`)
  for (const [reader, owed] of stuck) lines.push(`stuck: ${reader} on ${owed.join(', ')}`)
  for (const { name, error } of happened) if (error !== undefined) lines.push(`${name}: ${error}`)
  lines.push('', 'faults:')
  for (const { name, from, to, error } of [...happened].sort((a, b) => a.from - b.from)) {
    lines.push(`  ${time(from)} –${time(to)}  ${name}${error === undefined ? '' : `: ${error}`}`)
  }
  const answers = new Map(writers.acknowledged.map((event) => [event.id, event]))
  for (const [kind, list] of kinds) {
    for (const complaint of list.slice(0, 3)) {
      const { reader: name, id, channel, detail } = complaint
      lines.push('', `${kind}: ${name}, ${channel}, ${id}: ${detail}`)
      const answer = answers.get(id)
      if (answer !== undefined) lines.push(`  acknowledged at ${time(answer.at)}`)
      const reader = readers.all.find((each) => each.name === name)
      if (reader !== undefined) lines.push(...around(reader.record.entries(), channel, id))
    }
  }
  return lines
}

/** All that is known, in files; resolves with their folder. */
async function keep(report: readonly string[], what: Case): Promise<string> {
  const { complaints, readers, gaps, fleet } = what
  const folder = await mkdtemp(join(tmpdir(), 'sluice-soak-'))
  await writeFile(join(folder, 'report.txt'), report.join('\n'))
  await writeFile(join(folder, 'complaints.json'), JSON.stringify(complaints, null, 1))
  await writeFile(join(folder, 'gaps.txt'), gaps.join('\n'))
  await writeFile(join(folder, 'deaths.txt'), fleet.deaths.join('\n'))
  for (const [i] of fleet.ports.entries()) {
    await writeFile(join(folder, `gateway-${i}.log`), fleet.log(i).join('\n'))
  }
  for (const name of new Set(complaints.map(({ reader }) => reader)).keys()) {
    const reader = readers.all.find((each) => each.name === name)
    if (reader === undefined) continue
    const all = [...reader.record.entries()].map(({ at, seen }) => `${at} ${JSON.stringify(seen)}`)
    await writeFile(join(folder, `${name.replace(' ', '-')}.txt`), all.join('\n'))
  }
  return folder
}

/** What a reader saw of a channel, and said of the stream, where an id had its place. */
function around(
  entries: Iterable<{ readonly at: number; readonly seen: Seen }>,
  channel: string,
  id: string,
): string[] {
  const [ms] = id.split('-').map(Number) as [number]
  const relevant = [...entries].filter(({ seen }) => {
    if (seen.kind === 'event') return seen.channel === channel
    if (seen.kind !== 'control' || seen.name === 'stream.ready') return true
    return (
      seen.name !== 'stream.heartbeat' && [undefined, channel].includes(seen.data.channel as string)
    )
  })
  const past = relevant.findIndex(
    ({ seen }) => seen.kind === 'event' && Number((seen.id ?? '0').split('-')[0]) >= ms,
  )
  return relevant
    .slice(Math.max(0, past - 8), past + 6)
    .map(({ at, seen }) => `  ${time(at)}  ${JSON.stringify(seen).slice(0, 260)}`)
}
