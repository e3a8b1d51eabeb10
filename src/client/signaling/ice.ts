/** ICE servers, and fresh credentials for them before the old ones end. */
import type { Timer } from '../timing.js'
import type { IceServers } from './resources.js'

export interface Ice {
  readonly configuration: RTCConfiguration
  take(servers: IceServers): void
  close(): void
}

/** Share of their time after which credentials are replaced. */
const WORN = 0.75
/** Milliseconds before another try, and the least between two. */
const RETRY = 30_000

export function createIce(options: {
  readonly ask: () => Promise<IceServers>
  /** For the RTCPeerConnections that are there: what they look for next goes by the new ones. */
  readonly onChange: (configuration: RTCConfiguration) => void
  /** Beats the gateway's. */
  readonly own: RTCConfiguration | undefined
  readonly timer: Timer
}): Ice {
  const { timer, ask, onChange, own } = options
  let configuration: RTCConfiguration = { ...own }
  let cancel = () => {}
  let closed = false

  function take({ iceServers, iceTransportPolicy, ttl }: IceServers): void {
    configuration = { iceServers: [...iceServers], iceTransportPolicy, ...own }
    renewIn(Math.max(RETRY, ttl * 1000 * WORN))
  }

  function renewIn(ms: number): void {
    cancel()
    // Later than this a timer would fire at once; whoever stays so long reconnects in between.
    if (!closed && ms < 2 ** 31) cancel = timer(ms, renew)
  }

  async function renew(): Promise<void> {
    try {
      take(await ask())
      if (!closed) onChange(configuration)
    } catch {
      renewIn(RETRY)
    }
  }

  return {
    get configuration() {
      return configuration
    },
    take,
    close() {
      closed = true
      cancel()
    },
  }
}
