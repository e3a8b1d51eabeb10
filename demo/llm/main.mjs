/**
 * npm run demo:llm [-- --port N]: a page on which a generation can be reloaded, cut and stopped.
 *
 *     page ──ask, stop──────────▶ gateway ──relay──▶ upstream
 *       └───two viewers──wires──▶    │
 *                                the run's events
 */
import { parseArgs } from 'node:util'
import { createGateway } from 'sluice'
import { ANSWERS } from './answers.mjs'
import { startPages } from './pages.mjs'
import { startUpstream } from './upstream.mjs'
import { startWire } from './wire.mjs'

const USAGE = `npm run demo:llm [-- options]

  --port N    where the page is (8090); 0 takes a free port
`

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { port: { type: 'string', default: '8090' }, help: { type: 'boolean', short: 'h' } },
    })
    const port = Number(values.port)
    if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw new Error(`no port: ${values.port}`)
    return { port, help: values.help }
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}

async function start(port) {
  const upstream = await startUpstream()
  const gateway = await createGateway({
    port: 0,
    drainTime: '300ms',
    upstreams: { local: { url: upstream.url, allow: ['POST /v1/chat/completions'] } },
  })
  const gatewayPort = Number(new URL(gateway.url).port)
  const wires = [await startWire(gatewayPort), await startWire(gatewayPort)]
  const setup = {
    gateway: gateway.url,
    viewers: wires.map(({ url }) => url),
    questions: ANSWERS.map(({ question }) => question),
  }
  const pages = await startPages({ port, setup, wires, upstream: upstream.url })
  return {
    url: pages.url,
    async close() {
      pages.close()
      await gateway.close()
      for (const part of [...wires, upstream]) part.close()
    },
  }
}

const { port, help } = readOptions()
if (help) {
  console.log(USAGE)
  process.exit()
}
const demo = await start(port).catch((error) => {
  const taken = error.code === 'EADDRINUSE'
  console.error(taken ? `Port ${port} is taken: npm run demo:llm -- --port 0` : error)
  process.exit(1)
})
console.log(`\n  Open ${demo.url}\n\n  Ctrl-C ends it.\n`)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => demo.close().then(() => process.exit()))
}
