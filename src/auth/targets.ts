/**
 * Where the gateway never connects to, whatever it is told to ask. A cloud's metadata service gives
 * credentials to whoever can make a machine of it send a request, and answers at link-local addresses.
 * Loopback and private networks are allowed: that is where a backend lives.
 */
import { BlockList, isIP, type LookupFunction } from 'node:net'

const FORBIDDEN = new BlockList()
// "This network": Linux takes 0.0.0.0 and :: for its own loopback, which hides what is asked.
FORBIDDEN.addSubnet('0.0.0.0', 8, 'ipv4')
FORBIDDEN.addAddress('::', 'ipv6')
// Link-local (RFC 3927, RFC 4291), with the metadata service of nearly every cloud.
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4')
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6')
// The metadata services that stand elsewhere: EC2 and Google over IPv6, Alibaba.
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6')
FORBIDDEN.addAddress('fd20:ce::254', 'ipv6')
FORBIDDEN.addAddress('100.100.100.200', 'ipv4')
// 169.254.0.0/16 in the clothes of IPv6. The mapped form (::ffff:a.b.c.d) BlockList knows by itself;
// these are IPv4-compatible addresses, NAT64 (RFC 6052) and 6to4 (RFC 3056).
FORBIDDEN.addSubnet('::169.254.0.0', 112, 'ipv6')
FORBIDDEN.addSubnet('64:ff9b::169.254.0.0', 112, 'ipv6')
FORBIDDEN.addSubnet('2002:a9fe::', 32, 'ipv6')

/** Whether an address, as it is written in a URL (without brackets) or as DNS answers it, is one of those. */
export function isForbiddenAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && FORBIDDEN.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** Whether a URL holds such an address itself: those are never looked up, so no look-up judges them. */
export function isForbiddenHost(url: URL): boolean {
  return isForbiddenAddress(url.hostname.replace(/^\[|\]$/g, ''))
}

/** A name or a URL leads where the gateway never goes. */
export class ForbiddenTarget extends Error {
  override readonly name = 'ForbiddenTarget'

  constructor() {
    super('its address is link-local, or none')
  }
}

/**
 * A look-up that fails with a `ForbiddenTarget` where a name leads there: given to a connection, the
 * address that was judged is the very one that is connected to. All of the answer must be allowed: one
 * bad address among good ones is no accident.
 */
export function judging(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, options, (error, answer, family) => {
      const addresses = typeof answer === 'string' ? [answer] : (answer ?? [])
      const bad = addresses.some((it) =>
        isForbiddenAddress(typeof it === 'string' ? it : it.address),
      )
      if (error !== null) callback(error, answer, family)
      else if (bad) callback(new ForbiddenTarget(), [])
      // Node would throw where nobody catches it.
      else if (addresses.length === 0) callback(new Error('the name has no address'), [])
      else callback(null, answer, family)
    })
}
