/** Gateways on fixed ports, as nginx knows them, and somebody who starts again those that die. */
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { freePort } from '../support/ports.js'

export interface Fleet {
  readonly ports: readonly number[]
  /** How often a gateway ended without being told to, or could not start. */
  readonly deaths: readonly string[]
  /** kill -9, and a new one on the same port. Resolves when that one listens. */
  replace(index: number): Promise<void>
  freeze(index: number): Promise<void>
  thaw(index: number): Promise<void>
  /** What each wrote, all its lives in one, with the time. */
  log(index: number): readonly string[]
  stop(): Promise<void>
}

export async function startFleet(
  count: number,
  env: Readonly<{ [name: string]: string }>,
): Promise<Fleet> {
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  const running: (GatewayProcess | undefined)[] = []
  const logs: string[][] = ports.map(() => [])
  const deaths: string[] = []
  let stopped = false

  const start = async (index: number): Promise<void> => {
    while (!stopped) {
      try {
        const trust = { SLUICE_TRUSTED_PROXIES: 'loopback' }
        const own = { ...trust, ...env, SLUICE_PORT: String(ports[index]) }
        running[index] = await startGatewayProcess(own)
        return
      } catch (error) {
        // As it should where Redis is away for longer than a start waits for it.
        deaths.push(`gateway ${index} did not start: ${error}`)
        await new Promise((resolve) => setTimeout(resolve, 250))
      }
    }
  }
  const gather = (index: number): void => {
    logs[index]!.push(...(running[index]?.log ?? []))
  }
  await Promise.all(ports.map((_, index) => start(index)))

  return {
    ports,
    deaths,
    async replace(index) {
      const gateway = running[index]!
      await gateway.kill('SIGKILL')
      gather(index)
      running[index] = undefined
      await start(index)
    },
    freeze: async (index) => running[index]!.kill('SIGSTOP'),
    thaw: async (index) => running[index]!.kill('SIGCONT'),
    log: (index) => [...logs[index]!, ...(running[index]?.log ?? [])],
    async stop() {
      stopped = true
      await Promise.all(
        running.map(async (gateway, index) => {
          await gateway?.kill('SIGKILL')
          gather(index)
          running[index] = undefined
        }),
      )
    },
  }
}
