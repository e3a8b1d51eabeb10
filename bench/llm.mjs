// node bench/llm.mjs [--quick] [--runs N] [--dist DIR]
// The relay between an upstream and its callers: what it adds to the time of the first token, and how many
// runs of 20 tokens a second one core carries. The load client, upstream and callers in one, is llmload.c.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { freePort, gateway, killAll, scratchDir, sluice, sluiceOnRedis } from './servers.mjs'
import { median } from './table.mjs'
import { build, client, compile, cores, find, Missing, root } from './tools.mjs'

const { values: options } = parseArgs({
  // The script's own name, where run.mjs has called it.
  allowPositionals: true,
  options: {
    /** Another build than dist/. */
    dist: { type: 'string', default: join(root, 'dist') },
    /** A short look: does it run? */
    quick: { type: 'boolean', default: false },
    /** How often 1,000 runs are measured; the median counts. Default 3, quick 1. */
    runs: { type: 'string' },
  },
})
const times = Number(options.runs ?? (options.quick ? 1 : 3))

process.on('exit', killAll)
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(130))
gateway.bin = join(resolve(options.dist), 'bin.js')
if (!existsSync(gateway.bin)) throw new Missing(`${gateway.bin} is missing: npm run build`)
// Here live the upstream and the caller of the first part: on the client's core, like every client.
execFileSync(find('taskset'), ['-a', '-c', '-p', String(cores().client), String(process.pid)])
compile('llmload')

const PATH = '/v1/chat/completions'
const RELAY = `/v1/relay/llm${PATH}`
/** Tokens a second of one run: what people see of a fast model. */
const RATE = 20
/** ms of p99 beyond which runs count as fallen behind. */
const BEHIND_MS = 500
const FULL = 0.97
/** ms that a token may leave the upstream after it was due, before the client's core is to blame. */
const LATE_MS = 50
/** ms that the first token may come later, at the median. */
const FIRST_TOKEN_MS = 5

const logs = { memory: sluice, Redis: sluiceOnRedis }

/** A gateway in front of the upstream on that port of this machine. */
function startGateway(start, upstreamPort) {
  const dir = scratchDir('llm-')
  const file = join(dir, 'sluice.json')
  const llm = { url: `http://127.0.0.1:${upstreamPort}`, allow: [`POST ${PATH}`] }
  writeFileSync(file, JSON.stringify({ upstreams: { llm } }))
  return start({ SLUICE_CONFIG: file, SLUICE_MAX_STREAMS_PER_ADDRESS: '0' })
}

// ── the first token ──

const CHUNK = `data: ${JSON.stringify({
  ...{
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1_750_000_000,
    model: 'bench-1',
  },
  choices: [{ index: 0, delta: { role: 'assistant', content: 'Hello' }, finish_reason: null }],
})}\n\n`
const DONE = 'data: [DONE]\n\n'

/** An upstream that answers at once, and ends a moment after its first token, as a token of its own. */
async function immediateUpstream() {
  const server = createServer((asked, answer) => {
    asked.resume().once('end', () => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      answer.write(CHUNK)
      setImmediate(() => answer.end(DONE))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const agent = new Agent({ keepAlive: true })
const BODY = JSON.stringify({ model: 'bench-1', stream: true, messages: [] })
const HEADERS = { 'content-type': 'application/json', 'content-length': BODY.length }

/** ms from the request to the first `data:` line; resolves when the answer has ended. */
function firstToken(port, path) {
  return new Promise((resolve, reject) => {
    const from = performance.now()
    const options = { host: '127.0.0.1', port, path, method: 'POST', agent, headers: HEADERS }
    const asking = request(options, (answer) => {
      let text = ''
      let took
      answer.setEncoding('utf8')
      answer.on('data', (part) => {
        text += part
        if (took === undefined && /^data:/m.test(text)) took = performance.now() - from
      })
      answer.on('end', () => {
        if (answer.statusCode === 200 && text.includes(DONE)) resolve(took)
        else reject(new Error(`${path} was answered: ${answer.statusCode} ${text.slice(0, 300)}`))
      })
      answer.on('error', reject)
    })
    asking.on('error', reject)
    asking.end(BODY)
  })
}

const percentile = (values, p) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))]

async function firstTokens(name) {
  const upstream = await immediateUpstream()
  const upstreamPort = upstream.address().port
  const server = await startGateway(logs[name], upstreamPort)
  const took = { direct: [], relayed: [] }
  const [warm, count] = options.quick ? [50, 50] : [300, 300]
  try {
    for (let i = 0; i < warm + count; i++) {
      const direct = await firstToken(upstreamPort, PATH)
      const relayed = await firstToken(server.port, RELAY)
      if (i < warm) continue
      took.direct.push(direct)
      took.relayed.push(relayed)
    }
  } finally {
    await server.stop()
    upstream.closeAllConnections()
    upstream.close()
  }
  const added = median(took.relayed) - median(took.direct)
  const cells = [took.direct, took.relayed].map(
    (all) => `${median(all).toFixed(2)} / ${percentile(all, 0.99).toFixed(2)}`,
  )
  return [name, ...cells, `+${added.toFixed(2)}`, verdict(added <= FIRST_TOKEN_MS)]
}

// ── many runs ──

async function carry(name, n) {
  const upstreamPort = await freePort()
  const server = await startGateway(logs[name], upstreamPort)
  const pids = { spid: server.pids, rpid: server.redisPid }
  const [warm, secs] = options.quick ? [1, 3] : [4, 10]
  const signal = AbortSignal.timeout(180_000)
  try {
    const more = { port: server.port, listen: upstreamPort, path: RELAY, ...pids, warm, secs }
    return await client('llmload', { n, rate: RATE, ...more }, signal)
  } finally {
    await server.stop()
  }
}

const lost = ({ lost, disordered, dead }) => lost + disordered + dead

/** A full core alone is no delay: the fuller it is, the more tokens go together, each for less. */
function isBehind(figures) {
  return figures.p99 > BEHIND_MS || lost(figures) > 0
}

/** Which limit was met: the gateway's core, which is what is asked for, or one of the bench's own. */
function limitOf(figures) {
  const { clientUse, redisUse, lag, serverUse } = figures
  if (serverUse >= FULL) return ', core full'
  // Redis shares the client's core; tokens that leave late have waited for it, too.
  if (clientUse + redisUse >= FULL) return ', client full'
  return lag > LATE_MS || isBehind(figures) ? ', machine busy' : ''
}

function rowOf(name, figures, ok) {
  const { n, p50, p99, serverUse, cpuPerToken, openCpu, endCpu, clientUse, redisUse, rssMb } =
    figures
  const percent = (use) => `${Math.round(use * 100)} %`
  return [
    ...[name, n, p50.toFixed(1), p99.toFixed(1), percent(serverUse), cpuPerToken.toFixed(1)],
    ...[(openCpu + endCpu).toFixed(2), Math.round(rssMb), percent(clientUse), percent(redisUse)],
    ...[lost(figures), ok + limitOf(figures)],
  ]
}

async function carryAll(name, add) {
  const target = []
  for (let i = 0; i < times; i++) target.push(await carry(name, 1_000))
  const figures = Object.fromEntries(
    Object.keys(target[0]).map((key) => [key, median(target.map((one) => one[key]))]),
  )
  for (const key of ['lost', 'disordered', 'dead']) {
    figures[key] = Math.max(...target.map((one) => one[key]))
  }
  add(rowOf(name, figures, verdict(!isBehind(figures))))
  const step = options.quick ? 1_000 : 500
  for (let n = 1_000 + step, behind = isBehind(figures); !behind && n <= 8_000; n += step) {
    // Beyond its limit the gateway may let callers wait until the client gives up.
    const more = await carry(name, n).catch(() => undefined)
    behind = more === undefined || isBehind(more)
    const empty = Array.from({ length: 9 }, () => '–')
    add(more ? rowOf(name, more, behind ? 'behind' : 'keeps up') : [name, n, ...empty, 'failed'])
  }
}

// ── the table ──

function verdict(met) {
  if (!met) process.exitCode = 1
  return met ? 'ok' : 'MISS'
}

const lines = []
function say(line) {
  lines.push(line)
  console.log(line)
}
const cells = (row) => say(`| ${row.join(' | ')} |`)
function head(title, names) {
  say(`\n${title}\n`)
  cells(names)
  cells(names.map(() => '---'))
}

const list = cpus()
const kind = options.quick ? 'quick, not for judging' : `median of ${times}`
say(
  `${new Date().toISOString().slice(0, 16)} · ${kind} · Node ${process.version}, ${list.length} × ${list[0].model}`,
)

head('First token, in ms: median / p99', ['log', 'direct', 'relayed', 'added', '≤ 5'])
for (const name of Object.keys(logs)) cells(await firstTokens(name))

head(`Runs of ${RATE} tokens/s, each with a reader, relayed by one core`, [
  ...['log', 'runs', 'p50 ms', 'p99 ms', 'core', 'µs per token', 'ms per run', 'MB'],
  ...['client', 'redis', 'lost', ''],
])
for (const name of Object.keys(logs)) await carryAll(name, cells)

writeFileSync(join(build, 'llm.md'), `${lines.join('\n')}\n`)
process.exit()
