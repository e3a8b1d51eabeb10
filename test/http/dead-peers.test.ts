/**
 * Peers that vanish without a FIN. The tests that pull a cable run in a network of their own: the
 * file starts itself again there, as a subprocess.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { endianness, networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Config, loadConfig } from '../../src/config.js'
import {
  KEEP_ALIVE_MS,
  LOOK_MS,
  readLines,
  SILENT_MS,
  type SilentPeer,
} from '../../src/http/dead-peers.js'
import { ask, publish } from '../routes/support/ask.js'
import { connect } from '../routes/support/socket.js'
import { start } from '../routes/support/start.js'
import { subscribe } from '../routes/support/stream.js'
import { startRedis } from '../support/redis.js'

const INSIDE = process.env.TEST_NETWORK === 'own'

// ── real peers ──

/** A cable to pull: without `lo` packets are lost in silence, neither FIN nor RST comes. */
function lo(state: 'up' | 'down'): void {
  execFileSync('ip', ['link', 'set', 'lo', state])
}

/** What runs a command in a network where it may take the cable out; undefined where nothing does. */
function ownNetwork(): string[] | undefined {
  const ways = [
    ['unshare', '-rn'],
    ['unshare', '-n'],
  ]
  return ways.find(([command, flags]) => {
    const tried = spawnSync(command!, [flags!, 'ip', 'link', 'set', 'lo', 'up'])
    return process.platform === 'linux' && tried.status === 0
  })
}

/** A gateway that looks often, and its looks to wait for. */
async function watching(t: Test, silentMs: number, config: Partial<Config> = {}) {
  const looks = new EventEmitter()
  const onLook = (cut: number) => looks.emit('look', cut)
  const { url } = await start(
    t,
    { heartbeatMs: 100, drainMs: 0, ...config },
    { peers: { lookMs: 50, silentMs, onLook } },
  )
  return {
    url,
    async subscribers(channel: string): Promise<number> {
      for (;;) {
        const { status, json } = await ask(`${url}/v1/channels?channel=${channel}`)
        if (status === 200) return json.subscribers
        // Redis was behind the same cable.
      }
    },
    /** Resolves after the next look with how many it cut. */
    async look(): Promise<number> {
      const [cut] = await once(looks, 'look')
      return cut
    },
    connections: () => connections(Number(new URL(url).port)),
  }
}

/** The gateway's side of its connections, as the kernel has them, without those that have ended well (TIME_WAIT). */
function connections(port: number) {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    readFileSync(file, 'latin1').split('\n'),
  )
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, from, , state]) => from?.endsWith(local) && state !== '0A' && state !== '06')
    .map(([, , , , , timer, retransmissions]) => ({
      timer: timer!.slice(0, 2),
      ms: Number.parseInt(timer!.slice(3), 16) * 10,
      retransmissions: Number.parseInt(retransmissions!, 16),
    }))
}

function realPeers(): void {
  const addresses = networkInterfaces().lo?.map(({ address }) => address) ?? []
  for (const [host, log] of [
    ['127.0.0.1', 'memory'],
    ['::1', 'memory'],
    ['127.0.0.1', 'redis'],
  ] as const) {
    if (!addresses.includes(host)) continue
    t.test(`23: readers that vanish are cut, from ${host} (${log})`, async (t) => {
      const redis = log === 'redis' ? await startRedis() : undefined
      t.teardown(() => redis?.stop())
      const gateway = await watching(t, 1_000, { host, ...(redis && { redisUrl: redis.url }) })
      const idle = await subscribe(gateway.url, ['idle'])
      const busy = await subscribe(gateway.url, ['busy'])
      await Promise.all([idle.event('stream.live'), busy.event('stream.live')])
      const last = await publish(gateway.url, 'busy', 'x'.repeat(100_000))
      await busy.find((block) => block.json?.id === last)
      t.equal(await gateway.subscribers('idle'), 1)
      t.equal(await gateway.subscribers('busy'), 1)
      // What asked and published has closed.
      while (gateway.connections().length > 2) await gateway.look()

      lo('down')
      for (let cut = 0; cut < 2; ) cut += await gateway.look()
      t.equal(gateway.connections().length, 0, 'nothing is left in the kernel')
      lo('up')
      t.equal(await gateway.subscribers('idle'), 0)
      t.equal(await gateway.subscribers('busy'), 0)
      idle.close()
      busy.close()
    })
  }

  t.test('a reader that has closed its window and vanishes then is cut', async (t) => {
    const gateway = await watching(t, 1_000)
    const stuck = await stuckReader(t, gateway, 'a')
    lo('down')
    for (let cut = 0; cut < 1; ) cut += await gateway.look()
    lo('up')
    t.equal(await gateway.subscribers('a'), 0)
    stuck.destroy()
  })

  t.test('a reader that takes nothing for a while is not cut', async (t) => {
    const gateway = await watching(t, 1_000)
    const stuck = await stuckReader(t, gateway, 'a')
    const beats = await subscribe(gateway.url, ['other'])
    t.teardown(beats.close)
    // 40 heartbeats are four times as long as a silent peer would have.
    await beats.until((blocks) => blocks.length > 40)
    t.equal(await gateway.subscribers('a'), 1)
    const last = await publish(gateway.url, 'a', 'last')
    stuck.resume()
    await stuck.until(new RegExp(`^id: ${last}$`, 'm'))
  })

  t.test('a reader whose packets are lost for a moment is not cut', async (t) => {
    const gateway = await watching(t, 20_000)
    const stream = await subscribe(gateway.url, ['a'])
    t.teardown(stream.close)
    await stream.event('stream.live')
    lo('down')
    let cut = 0
    while (!gateway.connections().some((it) => it.retransmissions >= 3)) {
      cut += await gateway.look()
    }
    lo('up')
    t.equal(cut, 0)
    const last = await publish(gateway.url, 'a', 'after')
    await stream.find((block) => block.json?.id === last)
  })

  t.test('a peer to whom nothing is on its way is asked whether it is there', async (t) => {
    const gateway = await watching(t, 1_000)
    const agent = new Agent({ keepAlive: true })
    t.teardown(() => agent.destroy())
    const req = request(`${gateway.url}/healthz`, { agent }).end()
    const [response] = await once(req, 'response')
    await once(response.resume(), 'end')
    // The answer's acknowledgement may take some milliseconds.
    let quiet: { timer: string; ms: number } | undefined
    while (quiet?.timer !== '02') {
      await gateway.look()
      quiet = gateway.connections()[0]
    }
    t.ok(quiet.ms <= KEEP_ALIVE_MS, `in ${quiet.ms} ms`)
  })
}

/** A reader whose window is closed: the kernel probes it. */
async function stuckReader(
  t: Test,
  gateway: Awaited<ReturnType<typeof watching>>,
  channel: string,
) {
  const stuck = await connect(gateway.url)
  t.teardown(stuck.destroy)
  stuck.write(`GET /v1/events?channel=${channel} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await stuck.until(/stream\.live/)
  stuck.pause()
  while (!gateway.connections().some(({ timer }) => timer === '04')) {
    await publish(gateway.url, channel, 'x'.repeat(200_000))
  }
  return stuck
}

// ── the kernel's tables ──

/** Taken from Linux 6.18, four seconds after a cable was pulled. 50004 had closed its window, 50001 to 50003 were idle. */
const TCP = `\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 752431 1 0000000057c5eb59 100 0 0 10 0                    
   1: 0100007F:C351 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 752433 1 00000000ced99608 20 4 30 10 -1                   
   2: 0100007F:C354 0100007F:1F90 01 00000000:0000F660 00:00000000 00000000     0        0 752439 1 000000004f19ae43 20 4 0 10 -1                    
   3: 0100007F:1F90 0100007F:C354 01 003A3400:00000000 04:000000BD 00000000     0        3 752440 2 00000000e3e50424 20 0 0 14 -1                    
   4: 0100007F:1F90 0100007F:C351 01 00000005:00000000 01:00000103 00000004     0        0 752434 2 00000000f024901b 326 0 0 1 -1                    
   5: 0302010A:C352 0100007F:1F91 01 00000000:00000000 00:00000000 00000000     0        0 752435 1 00000000554dbca6 20 4 30 10 -1                   
`
const TCP6 = `\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 752432 1 0000000088483e09 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:1F91 0000000000000000FFFF00000302010A:C352 01 00000005:00000000 01:00000103 00000004     0        0 752436 2 0000000020cd1cd7 326 0 0 1 -1
   2: 00000000000000000000000001000000:1F91 B80D0120000000000000000001000A00:C353 01 00000005:00000000 04:000000F0 00000000     0        4 752438 2 000000004445865e 20 0 0 11 -1
   3: B80D0120000000000000000001000A00:C353 00000000000000000000000001000000:1F91 01 00000000:00000000 00:00000000 00000000     0        0 752437 1 00000000d6e822da 20 4 30 10 -1
`

function tables(): void {
  t.test(
    'silent peers are named as Node names them',
    { skip: endianness() !== 'LE' },
    async (t) => {
      t.same(
        readAll(TCP).map(({ key }) => key),
        ['127.0.0.1 8080 127.0.0.1 50004', '127.0.0.1 8080 127.0.0.1 50001'],
      )
      t.same(
        readAll(TCP6).map(({ key }) => key),
        ['::ffff:127.0.0.1 8081 ::ffff:10.1.2.3 50002', '::1 8081 2001:db8::a:1 50003'],
      )
    },
  )

  t.test('one look tells how long nothing was answered', async (t) => {
    // 3,260 ms is the time-out after four doublings, 2,590 of them are left: 204+408+815+1630+670.
    // 200 ms, four probes: 400+800+1600, and 800 of 3,200. What came before the first isn't counted.
    t.same(readAll(TCP + TCP6).map(round), [3710, 3726, 3726, 3600])
  })

  t.test('lines may be cut anywhere', async (t) => {
    const bytes = Buffer.from(TCP + TCP6)
    const whole = readAll(TCP + TCP6)
    for (let size = 1; size < 400; size += 7) {
      const found: SilentPeer[] = []
      let held = Buffer.alloc(0)
      for (let at = 0; at < bytes.length; at += size) {
        held = Buffer.concat([held, bytes.subarray(at, at + size)])
        held = held.subarray(readLines(held, (peer) => found.push(peer)))
      }
      t.same(found, whole, `in pieces of ${size}`)
    }
  })

  t.test('who may be alive is not silent', async (t) => {
    const line = TCP.split('\n')[5]!
    t.equal(readAll(`${line}\n`).length, 1)
    const alive: [what: string, line: string][] = [
      ['a lost packet or two', line.replace('00000004  ', '00000002  ')],
      ['a window that is closed, its probes answered', line.replace(' 01:0', ' 04:0')],
      ['one probe without an answer', TCP.split('\n')[4]!.replace(' 3 752440', ' 1 752440')],
      ['nothing on its way, keep-alive', line.replace(' 01:0', ' 02:0')],
      ['a connection half open (no further columns)', line.replace(/326 .*/, '')],
      ['a line cut short', line.slice(0, 60)],
    ]
    for (const [what, line] of alive) t.same(readAll(`${line}\n`), [], what)
  })

  t.test('the numbers add up to less than a minute', async (t) => {
    const { heartbeatMs } = loadConfig({ env: {} })
    const hubTick = 1_000
    const firstTimeout = 3_000
    t.ok(heartbeatMs + hubTick + firstTimeout + SILENT_MS + LOOK_MS < 60_000)
    const probes = 10_000
    t.ok(KEEP_ALIVE_MS + probes < 60_000)
  })
}

function readAll(text: string): SilentPeer[] {
  const found: SilentPeer[] = []
  readLines(Buffer.from(text), (peer) => found.push(peer))
  return found
}

const round = ({ silentMs }: SilentPeer) => Math.round(silentMs)

// ── ──

if (INSIDE) {
  lo('up')
  realPeers()
} else {
  tables()
  const own = ownNetwork()
  if (own === undefined) t.pass('no network of its own to be had here', { skip: true })
  else {
    const [command, ...args] = own
    t.spawn(
      command!,
      [...args, process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)],
      { env: { ...process.env, TEST_NETWORK: 'own' } },
      'in a network of its own',
    )
  }
}
