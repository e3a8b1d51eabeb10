/** Addresses, as Fastify gives them: the peer's, or what a trusted proxy wrote. */
import { isIP, SocketAddress } from 'node:net'

const LOOPBACK = /^(?:127\.|::1$)/
/** Of an IPv6 address: what one customer has is the whole network (RFC 6177). */
const NETWORK_GROUPS = 4

/**
 * Whether an address is this machine's. It is then that of a proxy that isn't named among the trusted
 * ones, and everybody behind it would share what is counted by address.
 */
export function isThisMachine(address: string | undefined): boolean {
  return LOOPBACK.test(plain(address))
}

/**
 * Under which name an address is counted: one spelling for each, an IPv6 address by its /64. What is
 * none shares one name, or whoever invents some would have as many as they like.
 */
export function countedAs(address: string | undefined): string {
  const bare = plain(address)
  switch (isIP(bare)) {
    case 4:
      return bare
    case 6:
      return `${groupsOf(bare).slice(0, NETWORK_GROUPS).join(':')}::/64`
    default:
      return 'unknown'
  }
}

/**
 * Without a port, brackets, zone, or the IPv6 clothes of an IPv4 address. Empty where the peer has closed
 * already: its socket doesn't know any more where it was from, whatever the types say.
 */
function plain(address = ''): string {
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(address) ?? []
  const [, before] = /^([\d.]+):\d+$/.exec(address) ?? []
  const bare = (bracketed ?? before ?? address).replace(/%.*$/, '')
  return bare.replace(/^::ffff:(?=[\d.]+$)/i, '')
}

function groupsOf(address: string): string[] {
  const { address: canonical } = new SocketAddress({ family: 'ipv6', address })
  const [left = '', right] = canonical.split('::')
  const before = left === '' ? [] : left.split(':')
  if (right === undefined) return before
  const after = right === '' ? [] : right.split(':')
  return [
    ...before,
    ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'),
    ...after,
  ]
}
