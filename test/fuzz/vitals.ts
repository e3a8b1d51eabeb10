/** A process from outside: what Linux knows of it. */
import { readdir, readFile, readlink } from 'node:fs/promises'

export interface Vitals {
  /** Resident memory in bytes. */
  readonly rss: number
  /** Open descriptors, of any kind. */
  readonly descriptors: number
  /** Those of them that are sockets. */
  readonly sockets: number
}

export interface Peer {
  /** The other side, `address:port`. */
  readonly peer: string
  /** How far the connection has come, in the kernel's numbers: 1 is open, 8 closed by the other side. */
  readonly state: number
}

/** The connections of a process over IPv4. */
export async function readPeers(pid: number): Promise<Peer[]> {
  const names = await readdir(`/proc/${pid}/fd`)
  const links = new Set(await Promise.all(names.map((name) => linkOf(pid, name))))
  const table = await readFile('/proc/net/tcp', 'utf8')
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state !== '0A' && links.has(`socket:[${inode}]`))
    .map(([, , peer = '', state]) => ({
      peer: addressOf(peer),
      state: Number.parseInt(state ?? '', 16),
    }))
}

/** `0100007F:1F90` as 127.0.0.1:8080. */
function addressOf(hex: string): string {
  const [address = '', port = ''] = hex.split(':')
  const parts = address.match(/../g)?.map((part) => Number.parseInt(part, 16)) ?? []
  return `${parts.reverse().join('.')}:${Number.parseInt(port, 16)}`
}

/** Undefined where the process is gone. */
export async function readVitals(pid: number): Promise<Vitals | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const rss = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
    const names = await readdir(`/proc/${pid}/fd`)
    const links = await Promise.all(names.map((name) => linkOf(pid, name)))
    const sockets = links.filter((link) => link.startsWith('socket:')).length
    return { rss, descriptors: links.filter((link) => link !== '').length, sockets }
  } catch {
    return undefined
  }
}

/** Empty where it was closed meanwhile. */
function linkOf(pid: number, name: string): Promise<string> {
  return readlink(`/proc/${pid}/fd/${name}`).catch(() => '')
}
