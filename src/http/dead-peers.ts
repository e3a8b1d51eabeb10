/**
 * Finds peers that vanished without a FIN (a pulled cable, a laptop put to sleep, a phone in a
 * tunnel) and cuts their connections. The kernel alone takes 15 minutes: it sends unacknowledged
 * bytes again and again, and as long as some are waiting, TCP keep-alive is suspended, which on a
 * stream with heartbeats is always. What would shorten that, TCP_USER_TIMEOUT, Node doesn't offer.
 *
 * Two parts:
 * - Bytes outstanding: Linux tells in /proc/net/tcp and tcp6 how often it has sent a connection's
 *   oldest bytes in vain, from which follows for how long. Silent for `SILENT_MS`: cut.
 * - Nothing outstanding (a body or a request that will never come, a long poll that waits): TCP
 *   keep-alive, `KEEP_ALIVE_MS` of silence, then Node's ten probes, one a second: 40 s.
 *
 * An idle stream whose peer vanishes just after a heartbeat: 15 s to the next one (it goes out at
 * the hub's tick: 1 s more), what the estimate below leaves out at its beginning (0.2 s, rarely 3 s),
 * `SILENT_MS` 30 s, and up to `LOOK_MS` 10 s to the next look: 56 to 59 s. With heartbeats rarer
 * than every 15 s it takes that much longer.
 *
 * A reader that takes nothing but answers the probes of its closed window is alive: how long it may
 * go on like that is the hub's business.
 *
 * Not seen from here: a peer behind a proxy; the proxy's socket is the one that must find out.
 * Without /proc/net/tcp, that is anywhere but on Linux, only the keep-alive is left, and a stream's
 * vanished peer goes when the system's own retransmissions end.
 */
import { close, open, read } from 'node:fs'
import { type Socket, SocketAddress } from 'node:net'
import { endianness } from 'node:os'

/** Milliseconds of unanswered retransmissions after which a peer is gone; whom a tunnel hides for less stays. */
export const SILENT_MS = 30_000
/**
 * Milliseconds between looks. A look at 10,000 lines costs about 10 ms of the event loop, in
 * slices of some 25 µs (the kernel hands out 4 KiB at a time), and about 25 ms of a pool thread.
 */
export const LOOK_MS = 10_000
/** Milliseconds of silence after which a peer to whom nothing is on its way is probed. */
export const KEEP_ALIVE_MS = 30_000

/**
 * So many retransmissions at least. A reader that shrinks its window to nothing while bytes are on
 * their way answers each retransmission without taking it: the kernel goes on doubling its time-out
 * without counting, and the few it had counted before must not pass for a long silence.
 */
const MIN_RETRANSMISSIONS = 3
/** So many probes of a closed window at least: one may get lost, and the next comes much later. */
const MIN_PROBES = 2
/** The kernel's tables count time in these, whatever its own clock is: USER_HZ = 100. */
const TICK_MS = 10

const TABLES = ['/proc/net/tcp', '/proc/net/tcp6']

/** A connection whose peer doesn't answer. */
export interface SilentPeer {
  /** The four names of the connection, as `connectionKey` has them. */
  readonly key: string
  /** Milliseconds without an answer, at least. */
  readonly silentMs: number
}

export interface PeerWatchOptions {
  /** Default: LOOK_MS. */
  readonly lookMs?: number
  /** Default: SILENT_MS. */
  readonly silentMs?: number
  /** Called after each look with the number of connections that it cut. */
  readonly onLook?: (cut: number) => void
}

export interface PeerWatch {
  /** From now on until it closes. Asking again for the same socket does nothing. */
  watch(socket: Socket): void
  stop(): void
}

/** Looks only while something is watched. */
export function watchPeers(options: PeerWatchOptions = {}): PeerWatch {
  const { lookMs = LOOK_MS, silentMs = SILENT_MS, onLook } = options
  const sockets = new Set<Socket>()
  let timer: NodeJS.Timeout | undefined
  let stopped = process.platform !== 'linux'

  // One function for all: a closure each is memory that an idle stream pays for.
  function forget(this: Socket): void {
    sockets.delete(this)
  }

  function lookLater(): void {
    if (stopped || timer !== undefined || sockets.size === 0) return
    // One after the other instead of an interval: looks that take long must not pile up.
    timer = setTimeout(look, lookMs)
    timer.unref()
  }

  async function look(): Promise<void> {
    const silent = new Set<string>()
    for (const table of TABLES) {
      await readTable(table, (peer) => {
        if (peer.silentMs >= silentMs) silent.add(peer.key)
      })
    }
    timer = undefined
    let cut = 0
    // Rarely anything is silent: only then is it worth naming every connection.
    if (silent.size > 0 && !stopped) {
      for (const socket of sockets) {
        if (!silent.has(connectionKey(socket))) continue
        cutOff(socket)
        cut++
      }
    }
    lookLater()
    onLook?.(cut)
  }

  return {
    watch(socket) {
      // No port: a Unix socket, an injected request, or closed already.
      if (sockets.has(socket) || socket.remotePort === undefined) return
      sockets.add(socket)
      socket.on('close', forget)
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      lookLater()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}

/** With a reset: after an ordinary close the kernel would keep what is unsent, and try for minutes. */
function cutOff(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // TLS has no reset; of an HTTP/2 session over TLS (in somebody's application) this ends the stream.
    socket.destroy()
  }
}

type Ends = Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>

/** Names a connection. Node writes the interface behind a link-local address, the kernel doesn't. */
export function connectionKey(ends: Ends): string {
  const plain = (address = '') => address.replace(/%.*$/, '')
  const { localAddress, localPort, remoteAddress, remotePort } = ends
  return `${plain(localAddress)} ${localPort} ${plain(remoteAddress)} ${remotePort}`
}

// ── the kernel's table ──

const LF = 10
const COLON = 58
const SENDING_AGAIN = 1
const PROBING = 4

/**
 * Reads whole lines out of one of the tables; answers how many bytes they took. Bytes instead of
 * strings: of 10,000 lines all but the suspicious few are left after a glance at two columns.
 *
 *     sl: local    port remote   port st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref sk rto …
 *      0: 0100007F:1F90 0100007F:C351 01 00000005:00000000 01:00000103 00000004   0       0 75243   2 00 326 …
 *
 * Columns up to `retrnsmt` are of fixed width, counted from the first colon (net/ipv4/tcp_ipv4.c,
 * `get_tcp4_sock`). Timer 01 sends again; 04 probes a closed window, or one that nothing could be
 * sent to for lack of a route, and `timeout` is the number of probes without an answer.
 */
export function readLines(bytes: Buffer, found: (peer: SilentPeer) => void): number {
  for (let start = 0; ; ) {
    const end = bytes.indexOf(LF, start)
    if (end === -1) return start
    const colon = bytes.indexOf(COLON, start)
    const digits = bytes[colon + 10] === COLON ? 8 : 32
    const remote = colon + digits + 8
    const timer = remote + digits + 27
    // The heading has no colon.
    if (colon !== -1 && timer + 20 <= end) {
      const silentMs = silence(bytes, timer, end)
      if (silentMs > 0) {
        const key = connectionKey({
          localAddress: address(bytes, colon + 2, digits),
          localPort: hex(bytes, colon + digits + 3, 4),
          remoteAddress: address(bytes, remote, digits),
          remotePort: hex(bytes, remote + digits + 1, 4),
        })
        found({ key, silentMs })
      }
    }
    start = end + 1
  }
}

/**
 * For how long nothing has been answered, from a single look; 0 where nothing is known. Waiting
 * times double, so those before the one that runs add up from it. An acknowledgement sets the counts
 * to 0. (Comparing two looks instead needs a memory per connection, and two short losses pass for a
 * long one.)
 */
function silence(bytes: Buffer, timer: number, end: number): number {
  const kind = hex(bytes, timer, 2)
  const retransmissions = hex(bytes, timer + 12, 8)
  if (kind !== PROBING && (kind !== SENDING_AGAIN || retransmissions < MIN_RETRANSMISSIONS))
    return 0
  const remaining = hex(bytes, timer + 3, 8) * TICK_MS
  const rest = bytes
    .toString('latin1', timer + 21, end)
    .trimStart()
    .split(/ +/, 6)
  const timeout = Number(rest[5]) * TICK_MS
  // A connection that isn't open yet has no such column.
  if (!(timeout > 0)) return 0
  // t/2 + t/4 + … + t/2^k = t(1 − 2^−k), and what has passed of t itself.
  if (kind === SENDING_AGAIN) return timeout * (2 - 2 ** -retransmissions) - remaining
  const probes = Number(rest[1])
  if (probes < MIN_PROBES) return 0
  // Here the time-out stays, and how often the waiting time was doubled isn't told where earlier
  // probes were answered: at least once for each of these, and until it holds what remains.
  let waiting = timeout * 2 ** probes
  while (waiting < remaining) waiting *= 2
  return waiting * (2 - 2 ** (1 - probes)) - remaining
}

function hex(bytes: Buffer, at: number, digits: number): number {
  let value = 0
  for (let i = at; i < at + digits; i++) {
    const byte = bytes[i]!
    value = value * 16 + (byte < COLON ? byte - 48 : (byte | 32) - 87)
  }
  return value
}

/** The kernel prints the address's 32-bit words as its own numbers: on most machines back to front. */
function address(bytes: Buffer, at: number, digits: number): string {
  const octets = Buffer.from(bytes.toString('latin1', at, at + digits), 'hex')
  if (endianness() === 'LE') octets.swap32()
  if (digits === 8) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(2 * i).toString(16))
  // Shortens it exactly as Node does for a socket.
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address
}

/**
 * Hands a table to `readLines`, chunk by chunk. Callbacks: with promises each of the many small
 * reads costs the event loop about twice as much. A table that isn't there is an empty one.
 */
function readTable(path: string, found: (peer: SilentPeer) => void): Promise<void> {
  return new Promise((resolve) => {
    open(path, (error, fd) => {
      if (error !== null) return resolve()
      const buffer = Buffer.allocUnsafe(16 * 1024)
      let held = 0
      const next = () => read(fd, buffer, held, buffer.length - held, null, took)
      const took = (error: Error | null, bytes: number) => {
        if (error !== null || bytes === 0) return close(fd, () => resolve())
        const filled = held + bytes
        const used = readLines(buffer.subarray(0, filled), found)
        buffer.copyWithin(0, used, filled)
        held = filled - used
        next()
      }
      next()
    })
  })
}
