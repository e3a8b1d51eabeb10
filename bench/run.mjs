// npm run bench [-- cases…] [--quick] [--runs N] [--minutes N] [--null]
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { allCases } from './cases.mjs'
import { gateway, killAll } from './servers.mjs'
import { compare, faults, summary, table } from './table.mjs'
import { build, compile, cores, Missing, root } from './tools.mjs'

const USAGE = `npm run bench [-- cases…] [options]

  cases          A A64 AR AT B D DT D50 E C S (all of them where none is named), floor
                 or one of redis-memory redis-cpu redis-shards redis-gateway, which measure the
                 constants of docs/scale.md, or llm, or slow-loris; --quick is theirs, too, and
                 --dist DIR (slow-loris: --bin FILE)
  --quick        one short run of each: does everything work? Not for judging
  --runs N       how often each side is measured, in turn; the median counts (3)
  --minutes N    when to stop and print what there is (12)
  --bin FILE     the gateway's entry, for another build than dist/bin.js
  --null         the peer on both sides: how far the ratios are from 1 is this machine's noise
`

if (/^(redis-(memory|gateway|cpu|shards)|llm|slow-loris)$/.test(process.argv[2] ?? '')) {
  await import(`./${process.argv[2]}.mjs`)
}

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    minutes: { type: 'string', default: '12' },
    bin: { type: 'string' },
    null: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function chosen() {
  const cases = allCases(options)
  const unknown = wanted.filter(
    (id) => !cases.some((one) => one.id.toLowerCase() === id.toLowerCase()),
  )
  if (unknown.length > 0) throw new Missing(`no such case: ${unknown.join(' ')}\n\n${USAGE}`)
  const list =
    wanted.length > 0
      ? wanted.map((id) => cases.find((one) => one.id.toLowerCase() === id.toLowerCase()))
      : cases.filter((one) => !one.onDemand)
  if (!options.null) return list
  return list
    .filter((one) => one.sides.nchan)
    .map((one) => ({ ...one, sides: { ...one.sides, ours: one.sides.nchan } }))
}

// What was built last may be older than what was written last, and nobody would notice.
async function warnIfStale() {
  if (options.bin || !existsSync(gateway.bin)) return
  const files = await readdir(join(root, 'src'), { recursive: true, withFileTypes: true })
  const newest = files
    .filter((file) => file.isFile())
    .map((file) => statSync(join(file.parentPath ?? file.path, file.name)).mtimeMs)
  if (Math.max(...newest) > statSync(gateway.bin).mtimeMs) {
    console.error('warning: src/ is newer than dist/: npm run build')
  }
}

/** All runs of a case, the sides in turn, so that what the machine does besides hits them alike. */
async function measure(one, runs, signal, collected) {
  for (let i = 0; i < runs; i++) {
    for (const [name, side] of Object.entries(one.sides)) {
      signal.throwIfAborted()
      process.stderr.write(`${one.id} ${i + 1}/${runs} ${name} … `)
      const from = performance.now()
      const figures = await side({ signal })
      process.stderr.write(`${((performance.now() - from) / 1000).toFixed(1)} s\n`)
      collected[name] ??= []
      collected[name].push(figures)
    }
  }
}

async function main() {
  if (options.help) return console.log(USAGE)
  const list = chosen()
  const runs = Number(options.runs ?? (options.quick ? 1 : 3))
  if (!(runs >= 1) || !(Number(options.minutes) > 0)) throw new Missing(USAGE)
  const signal = AbortSignal.timeout(Number(options.minutes) * 60_000)
  if (options.bin) gateway.bin = resolve(options.bin)
  if (!options.null && list.some((one) => !one.onDemand) && !existsSync(gateway.bin)) {
    throw new Missing(`${gateway.bin} is missing: npm run build`)
  }
  cores()
  compile('sseload')
  if (list.some((one) => one.id === 'floor')) compile('floor')
  await warnIfStale()

  const rows = []
  const notes = []
  const raw = {}
  for (const one of list) {
    raw[one.id] = {}
    try {
      await measure(one, runs, signal, raw[one.id])
    } catch (error) {
      if (error instanceof Missing) throw error
      process.stderr.write('failed\n')
      const late = `not all of its ${runs} runs within ${options.minutes} minutes`
      notes.push(`${one.id}: ${signal.aborted ? late : error.message}`)
      process.exitCode = 1
    }
    const done = Object.entries(raw[one.id])
    const sides = Object.fromEntries(done.map(([name, all]) => [name, summary(all)]))
    const complete = Object.keys(one.sides).every((name) => name in sides)
    const extra = complete && !options.null ? (one.notes?.(sides) ?? []) : []
    for (const note of extra.filter(Boolean)) notes.push(`${one.id}: ${note}`)
    for (const [name, figures] of Object.entries(sides)) {
      const found = faults(figures)
      if (found.length === 0) continue
      notes.push(`${one.id}: ${name}: ${found.join(', ')}`)
      if (name === 'ours') process.exitCode = 1
    }
    rows.push(...one.rows.map((row) => compare(row, sides)))
  }

  const kind = options.quick ? 'quick, not for judging' : `median of ${runs}`
  const what = options.null ? 'nchan on both sides' : 'peer and ours in turn'
  const text = [
    `${new Date().toISOString().slice(0, 16)} · ${what}, ${kind} · one server core · 100-byte events`,
    '',
    table(rows),
    '',
    ...notes.map((note) => `- ${note}`),
    '',
  ].join('\n')
  writeFileSync(join(build, 'latest.md'), text)
  writeFileSync(join(build, 'latest.json'), JSON.stringify(raw, null, 1))
  console.log(`\n${text}`)
}

process.on('exit', killAll)
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(130))

try {
  await main()
} catch (error) {
  console.error(error instanceof Missing ? error.message : error)
  process.exitCode = 1
}
process.exit()
