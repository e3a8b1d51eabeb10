/** Addresses, as Fastify gives them. */
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/

/**
 * Whether an address is this machine's. It is then that of a proxy that isn't named among the trusted
 * ones, and everybody behind it would share what is counted by address.
 */
export function isThisMachine(address: string): boolean {
  return LOOPBACK.test(address)
}
