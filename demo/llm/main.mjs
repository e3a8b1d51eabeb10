/**
 * npm run demo:llm [-- --port N --gateway-port N]: a page on which a generation can be reloaded, cut and stopped.
 *
 *     page ──ask, stop──────────▶ gateway ──relay──▶ upstream
 *       └───two viewers──wires──▶    │
 *                                the run's events
 */
import { parseArgs } from 'node:util'
import { createGateway } from 'sluice'
import { ANSWERS } from '../../dist/site/answers.js'
import { startPages } from './pages.mjs'
import { startUpstream } from './upstream.mjs'
import { startWire } from './wire.mjs'

const USAGE = `npm run demo:llm [-- options]

  --port N            where the page is (8090); 0 takes a free port
  --gateway-port N    where its gateway is; a free port unless you say
`

function portOf(text) {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error(`no port: ${text}`)
  return port
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '8090' },
        'gateway-port': { type: 'string', default: '0' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    const { port, help, 'gateway-port': gatewayPort } = values
    return { port: portOf(port), gatewayPort: portOf(gatewayPort), help }
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}

async function start(port, ownPort) {
  const upstream = await startUpstream()
  const local = { url: upstream.url, allow: ['POST /v1/chat/completions'] }
  const gateway = await createGateway({
    port: ownPort,
    drainTime: '300ms',
    // Also by the name that the recipes of docs/llm.md call.
    upstreams: { local, openai: local },
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
    gateway: gateway.url,
    async close() {
      pages.close()
      await gateway.close()
      for (const part of [...wires, upstream]) part.close()
    },
  }
}

const { port, gatewayPort, help } = readOptions()
if (help) {
  console.log(USAGE)
  process.exit()
}
const demo = await start(port, gatewayPort).catch((error) => {
  const taken = error.code === 'EADDRINUSE'
  console.error(taken ? `Port ${error.port} is taken: npm run demo:llm -- --port 0` : error)
  process.exit(1)
})
console.log(`
  Open ${demo.url}

  For recipes of docs/llm.md, in another terminal:

    export SLUICE_URL=${demo.gateway}

  Its relay is $SLUICE_URL/v1/relay/openai/v1/chat/completions

  Ctrl-C ends it.
`)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => demo.close().then(() => process.exit()))
}
