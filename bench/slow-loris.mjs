// npm run bench -- slow-loris [--quick] [--runs N] [--bin FILE]
// What 100 streams notice of 2,000 connections that give a byte a second: the latency of deliveries with and
// without them, in turn. Whoever is thrown out comes back at once, so that there are 2,000 all the time.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gateway, killAll, sluice } from './servers.mjs'
import { median } from './table.mjs'
import { compile, cores, load, Missing, pinned, running } from './tools.mjs'

const STREAMS = 100
const EVENTS_PER_SECOND = 50
const ATTACKERS = 2_000
/** Every connection gives a byte in so many ms; a slice of them at a time, for bursts would be another attack. */
const DRIP_MS = 1_000
const SLICES = 50
/** What the gateway gives to a head. */
const GIVEN_MS = 8_000

const POST = 'POST /v1/events?channel=slow HTTP/1.1\r\nHost: localhost\r\n'
const STARTS = [
  '',
  `${POST}X: `,
  `${POST}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"`,
  `${POST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n"`,
]

/** The attack, in a process of its own: tells each second how many are open. */
function attack(port) {
  const sockets = Array(ATTACKERS)
  let longest = 0
  let closed = 0
  const open = (i) => {
    const socket = createConnection({
      port,
      host: '127.0.0.1',
      localAddress: `127.0.3.${1 + (i % 20)}`,
    })
    sockets[i] = socket
    const since = performance.now()
    socket.on('error', () => {})
    socket.on('close', () => {
      longest = Math.max(longest, performance.now() - since)
      closed++
      open(i)
    })
    socket.write(STARTS[i % STARTS.length])
    socket.resume()
  }
  // Spread over the time that each is given: all at once would be thrown out, and come back, all at once.
  for (let i = 0; i < ATTACKERS; i++) setTimeout(open, (i * GIVEN_MS) / ATTACKERS, i)
  let slice = 0
  setInterval(() => {
    for (let i = slice++ % SLICES; i < ATTACKERS; i += SLICES) {
      // One in four kinds says nothing at all.
      if (i % STARTS.length > 0 && sockets[i]?.readyState === 'open') sockets[i].write('x')
    }
  }, DRIP_MS / SLICES)
  setInterval(() => {
    const now = sockets.filter((socket) => socket?.readyState === 'open').length
    console.log(JSON.stringify({ open: now, closed, longest: Math.round(longest) }))
  }, 1_000)
}

/** Resolves when all are open and the first have been thrown out: from then on it is as it goes on being. */
async function startAttack(port) {
  const self = fileURLToPath(import.meta.url)
  const [file, args] = pinned(cores().client, process.execPath, [self, 'attack', String(port)])
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  let told = { open: 0, closed: 0, longest: 0 }
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    told = JSON.parse(line)
  })
  while (told.closed < ATTACKERS) await once(lines, 'line')
  return {
    told: () => told,
    async stop() {
      child.kill('SIGKILL')
      await once(child, 'exit')
      running.delete(child)
    },
  }
}

async function measure({ runs, secs }) {
  const server = await sluice()
  const urls = { ...server.live, sub: '/v1/events?channel=calm', pub: '/v1/events?channel=calm' }
  const how = {
    port: server.port,
    spid: server.pids,
    n: STREAMS,
    c: 1,
    pc: 1,
    rate: EVENTS_PER_SECOND,
  }
  const signal = AbortSignal.timeout(10 * 60_000)
  const calm = []
  const attacked = []
  let longest = 0
  try {
    await load({ ...urls, ...how, secs: 1 }, signal)
    for (let i = 0; i < runs; i++) {
      calm.push(await load({ ...urls, ...how, secs }, signal))
      const attackers = await startAttack(server.port)
      attacked.push(await load({ ...urls, ...how, secs }, signal))
      longest = Math.max(longest, attackers.told().longest)
      await attackers.stop()
      process.stderr.write(`${i + 1}/${runs}\n`)
    }
  } finally {
    await server.stop()
  }
  return { calm, attacked, longest }
}

function print({ calm, attacked, longest }, { runs, secs }) {
  const row = (name, all) => {
    const of = (figure) => median(all.map((each) => each[figure])).toFixed(2)
    const lost = Math.max(...all.map((each) => each.lost))
    return `| ${name.padEnd(28)} | ${of('p50')} | ${of('p99')} | ${of('max')} | ${lost} |`
  }
  console.log(
    [
      `${STREAMS} streams, ${EVENTS_PER_SECOND} events/s, median of ${runs} runs of ${secs} s each, in turn`,
      '',
      `| ${' '.repeat(28)} | p50 ms | p99 ms | max ms | lost |`,
      `| ${'-'.repeat(28)} | - | - | - | - |`,
      row('alone', calm),
      row(`beside ${ATTACKERS} slow-loris`, attacked),
      '',
      `- the longest that one of them stayed: ${(longest / 1_000).toFixed(1)} s`,
    ].join('\n'),
  )
}

async function main() {
  const { values } = parseArgs({
    // The script's own name, where run.mjs has called it.
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      runs: { type: 'string' },
      bin: { type: 'string' },
    },
  })
  if (values.bin) gateway.bin = resolve(values.bin)
  if (!existsSync(gateway.bin)) throw new Missing(`${gateway.bin} is missing: npm run build`)
  const how = { runs: Number(values.runs ?? (values.quick ? 1 : 3)), secs: values.quick ? 3 : 10 }
  if (!(how.runs >= 1)) throw new Missing('--runs is a number, 1 or more')
  compile('sseload')
  print(await measure(how), how)
}

if (process.argv[2] === 'attack') attack(Number(process.argv[3]))
else {
  process.on('exit', killAll)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(130))
  try {
    await main()
  } catch (error) {
    console.error(error instanceof Missing ? error.message : error)
    process.exitCode = 1
  }
  process.exit()
}
