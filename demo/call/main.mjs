/**
 * npm run demo:call [-- --port N]: the gateway's page for calls, for other machines too.
 *
 *     window ──POST: signals──▶ gateway ──one stream each──▶ window
 *        └────────────video, voice and chat, directly────────────┘
 */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { parseArgs } from 'node:util'
import { createGateway } from 'sluice'
import { startForwarder } from './forwarder.mjs'

const USAGE = `npm run demo:call [-- options]

  --port N               where the page is (8090); 0 takes a free port
  --host ADDRESS         who may come: 127.0.0.1, this machine, or 0.0.0.0, everybody who can
                         reach it. For others it has to be HTTPS, or they get no camera:
  --cert FILE --key FILE a certificate and its key, as mkcert makes them
  --stun URL             how to find a way to another network, e.g. stun:stun.example.org
`

function readOptions() {
  const text = (value) => ({ type: 'string', default: value })
  const options = {
    port: text('8090'),
    host: text('127.0.0.1'),
    cert: text(''),
    key: text(''),
    stun: text(''),
  }
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h' } } })
    const port = Number(values.port)
    if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw new Error(`no port: ${values.port}`)
    if ((values.cert === '') !== (values.key === ''))
      throw new Error('--cert and --key go together')
    const { cert, key } = values
    const tls = cert === '' ? undefined : { cert: readFileSync(cert), key: readFileSync(key) }
    return { ...values, port, tls }
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}

async function start({ port, host, tls, stun }) {
  const servers = stun === '' ? [] : [{ urls: [stun] }]
  const gateway = await createGateway({ port: 0, drainTime: '300ms', iceServers: { servers } })
  const door = await startForwarder({ port, host, tls, gateway: gateway.url })
  return {
    url: door.url,
    async close() {
      door.close()
      await gateway.close()
    },
  }
}

/** Where others find this machine. */
function addresses() {
  const all = Object.values(networkInterfaces()).flat()
  return all
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map((it) => it.address)
}

const options = readOptions()
if (options.help) {
  console.log(USAGE)
  process.exit()
}
const demo = await start(options).catch((error) => {
  const taken = error.code === 'EADDRINUSE'
  console.error(taken ? `Port ${options.port} is taken: npm run demo:call -- --port 0` : error)
  process.exit(1)
})
const url = new URL(demo.url)
if (options.tls) url.protocol = 'https:'
const open = [url, ...(options.host === '0.0.0.0' ? addresses() : [])].map((address) => {
  if (typeof address === 'string') url.hostname = address
  return `  Open ${url.origin}/call`
})
console.log(
  `\n${open.join('\n')}\n\n  Twice: in two windows, or here and on a phone. Ctrl-C ends it.\n`,
)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => demo.close().then(() => process.exit()))
}
