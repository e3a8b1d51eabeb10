/** A run: a gateway, well-behaved clients, two rounds of attacks with a rest after each, a judgement. */
import { fileURLToPath } from 'node:url'
import { startGatewayProcess } from '../support/gateway.js'
import { CANARY } from './attacks/smuggle.js'
import { startBystanders } from './bystanders.js'
import { type Complaints, createComplaints } from './complaints.js'
import { type Door, lockedDoor, openDoor } from './door.js'
import { fillCaches } from './fill.js'
import { createFront } from './front.js'
import type { Options } from './options.js'
import { megabytes, report } from './report.js'
import { startWatch } from './watch.js'

/** Share of the time after which the gateway has grown as far as this attack makes it. */
const WARM_UP = 0.35
/**
 * Bytes that may be more at the end than after the warm-up, both with all garbage collected. In sound runs
 * what JavaScript holds differs by up to 8 MB (the log is as large, but of other events), and resident
 * memory by up to 20, for V8's heap is a patchwork after so many small things. In two minutes, 300 bytes
 * lost for each attack are more.
 */
const MARGINS = [
  ['used', 16 * 1024 * 1024],
  ['rss', 48 * 1024 * 1024],
] as const
/** Of the gateway. */
const SMALL = {
  // Full before the attack begins.
  SLUICE_RETENTION_EVENTS: '200',
  SLUICE_MEMORY_LIMIT: '16mb',
  // A socket that a client has filled with requests isn't read: that it has gone is found by a write.
  SLUICE_HEARTBEAT: '3s',
}

const local = (file: string) => fileURLToPath(new URL(file, import.meta.url))

/** Undone in the reverse order, whatever happens. */
export type Cleanup = (undo: () => Promise<void> | void) => void

export async function runFuzz(options: Options, cleanup: Cleanup): Promise<Complaints> {
  const { seed, ms, settle, only } = options
  const began = performance.now()
  const say = (text: string): void => {
    console.log(`  ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${text}`)
  }
  const complaints = createComplaints(({ kind, what }) => say(`${kind.toUpperCase()}: ${what}`))
  const complain = complaints.add

  const door = options.locked ? await lockedDoor() : openDoor()
  const gateway = await startGatewayProcess(environment(options, door))
  cleanup(gateway.stop)
  await fillCaches(gateway.url, door)
  const bystanders = await startBystanders({ url: gateway.url, door, complain })
  cleanup(bystanders.stop)
  const front = createFront({ seed, door, port: gateway.port, complain })
  cleanup(front.stop)
  const { secrets, underway, attackOf } = front
  const watch = await startWatch({
    ...{ gateway, door, secrets, settle, underway, attackOf, complain },
    onEnd() {
      front.stop()
      void bystanders.stop()
    },
  })
  cleanup(watch.stop)
  say(`all is up: process ${gateway.pid} at ${gateway.url}, ${megabytes(watch.now.rss)}`)
  const progress = setInterval(() => {
    const { rss, sockets } = watch.now
    say(`${front.open} attackers, ${sockets} sockets, ${megabytes(rss)}`)
  }, 10_000)
  cleanup(() => clearInterval(progress))

  if (only !== undefined) await front.replay(only.from, only.to)
  else await front.attack(ms * WARM_UP)
  const warm = await watch.rest()
  if (only === undefined) await front.attack(ms * (1 - WARM_UP))
  const end = await watch.rest()
  clearInterval(progress)
  if (warm !== undefined && end !== undefined) {
    for (const [what, margin] of MARGINS) {
      if (end[what] - warm[what] <= margin) continue
      complain('memory', `${what}: ${megabytes(warm[what])}, at the end ${megabytes(end[what])}`)
    }
    await watch.mustBeEmpty(CANARY)
    await bystanders.finish()
    report({ front, watch, warm, end, bystanders })
  }
  await watch.stop()
  return complaints
}

function environment({ env, sabotage }: Options, door: Door): Record<string, string> {
  const loaded = sabotage.length > 0 ? ['collector.mjs', 'saboteur.mjs'] : ['collector.mjs']
  const imports = loaded.map((file) => `--import=${local(file)}`)
  const node = [...imports, env.NODE_OPTIONS ?? ''].join(' ')
  return { ...SMALL, ...door.env, ...env, NODE_OPTIONS: node, SABOTAGE: sabotage.join(',') }
}
