/**
 * Where Redis is, as one text says it. Pure: the configuration judges an address with it before
 * anything is connected.
 *
 *     redis://[user:password@]host:port[/db]                    one server
 *     redis://[user:password@]host:port,host:port,…             some nodes of a cluster
 *     redis+sentinel://[user:password@]host:port,…/name[/db]    sentinels, and what they call the master
 *
 * `rediss` and `rediss+sentinel` speak TLS, with the sentinels too. User and password are those of
 * the servers; the sentinels' own are `?sentinelUsername=…&sentinelPassword=…`.
 */

export interface Node {
  readonly host: string
  readonly port: number
}

export interface Access {
  readonly username?: string
  readonly password?: string
}

export interface Address {
  readonly kind: 'one' | 'cluster' | 'sentinel'
  /** The server, some nodes of the cluster, or the sentinels. */
  readonly nodes: readonly Node[]
  readonly tls: boolean
  /** To the servers. */
  readonly access: Access
  /** Number of the database; 0 in a cluster. */
  readonly db: number
  /** To the sentinels. */
  readonly sentinelAccess: Access
  /** The sentinels' name for the master; empty where there are none. */
  readonly master: string
}

/** What is wrong with an address. Neither holds any part of it: there may be a password in it. */
export class AddressError extends Error {
  /** What to do. */
  readonly advice: string

  constructor(fault: string, advice: string) {
    super(fault)
    this.advice = advice
  }
}

const EXAMPLE = 'write redis://host:6379 or rediss://user:password@host:6379/0'
const CLUSTER_EXAMPLE = 'write redis://user:password@host1:6379,host2:6379'
const SENTINEL_EXAMPLE = 'write redis+sentinel://user:password@host1:26379,host2:26379/mymaster'
const ANY_EXAMPLE =
  'write redis://host:6379, redis://host1:6379,host2:6379 for a cluster, or ' +
  'redis+sentinel://host1:26379,host2:26379/mymaster; rediss:// and rediss+sentinel:// speak TLS'
const NOT_A_URL = 'it is not the URL of a Redis'
const WHOLE =
  /^(redis|rediss|redis\+sentinel|rediss\+sentinel):\/\/([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const HOST = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i

/** `host:port`, as it is written. */
export function nodeName({ host, port }: Node): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function sameNode(a: Node, b: Node): boolean {
  return a.host === b.host && a.port === b.port
}

/** An address for messages: where, and never with whose password. */
export function shown({ kind, nodes, tls, master, db }: Address): string {
  const scheme = `redis${tls ? 's' : ''}${kind === 'sentinel' ? '+sentinel' : ''}`
  const path = [master, db === 0 ? '' : String(db)].filter((part) => part !== '').join('/')
  return `${scheme}://${nodes.map(nodeName).join(',')}${path === '' ? '' : `/${path}`}`
}

/** Throws an AddressError. */
export function readAddress(text: string): Address {
  const sentinel = /^rediss?\+sentinel:/.test(text)
  const example = exampleFor(text, sentinel)
  // Each node of a list may be written as a URL: those after the first repeat it, or leave it out.
  const [head, ...rest] = text.split(/,\s*(?=rediss?(?:\+sentinel)?:\/\/)/)
  const first = readPart(head!, example)
  const nodes = [...first.nodes]
  let { path, query } = first
  for (const more of rest) {
    const part = readPart(more, example)
    if (part.scheme !== first.scheme) {
      throw new AddressError('its nodes are not all of one kind', example)
    }
    const same = part.user === undefined || part.user === first.user
    if (!same) throw new AddressError('its nodes have different users or passwords', example)
    if (part.path !== '' && path !== '' && part.path !== path) {
      throw new AddressError('its nodes have different paths', example)
    }
    path = part.path === '' ? path : part.path
    query = part.query === '' ? query : part.query
    nodes.push(...part.nodes)
  }
  const shared = {
    nodes,
    tls: first.scheme.startsWith('rediss'),
    access: readUser(first.user, example),
  }
  return sentinel
    ? { ...shared, kind: 'sentinel', ...readSentinel(path, query) }
    : { ...shared, ...readServers(nodes, path, query, example), sentinelAccess: {}, master: '' }
}

/** Of the kind that was meant. Of all where its scheme says nothing: sentinel://, say. */
function exampleFor(text: string, sentinel: boolean): string {
  if (sentinel) return SENTINEL_EXAMPLE
  if (!/^rediss?:/.test(text)) return ANY_EXAMPLE
  return text.includes(',') ? CLUSTER_EXAMPLE : EXAMPLE
}

interface Part {
  readonly scheme: string
  readonly user: string | undefined
  readonly nodes: readonly Node[]
  readonly path: string
  readonly query: string
}

function readPart(text: string, example: string): Part {
  const [, scheme, authority, path = '', query = ''] = WHOLE.exec(text.trim()) ?? []
  if (scheme === undefined || authority === undefined) throw new AddressError(NOT_A_URL, example)
  const at = authority.lastIndexOf('@')
  const nodes = authority
    .slice(at + 1)
    .split(',')
    .map((node) => readNode(node.trim(), scheme.endsWith('sentinel') ? 26_379 : 6379, example))
  return { scheme, user: at < 0 ? undefined : authority.slice(0, at), nodes, path, query }
}

function readNode(text: string, standard: number, example: string): Node {
  const [, host, port] = HOST.exec(text) ?? []
  if (host === undefined) throw new AddressError(NOT_A_URL, example)
  const number = port === undefined ? standard : Number(port)
  if (number < 1 || number > 65_535) throw new AddressError('it has a port out of range', example)
  return { host: host.replace(/^\[|\]$/g, ''), port: number }
}

function decoded(text: string, example: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new AddressError('its user or password is not percent-encoded', example)
  }
}

function readUser(user: string | undefined, example: string): Access {
  if (user === undefined || user === '') return {}
  const colon = user.indexOf(':')
  const username = decoded(colon < 0 ? user : user.slice(0, colon), example)
  if (colon < 0) return { username }
  const password = decoded(user.slice(colon + 1), example)
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) }
}

function readDatabase(text: string, example: string): number {
  if (!/^\d{0,3}$/.test(text)) {
    throw new AddressError('its path is not the number of a database', example)
  }
  return Number(text)
}

function readServers(nodes: readonly Node[], path: string, query: string, example: string) {
  if (query !== '') throw new AddressError('it has parameters, and there are none', example)
  const db = readDatabase(path, example)
  if (nodes.length === 1) return { kind: 'one', db } as const
  if (db !== 0) {
    throw new AddressError('a cluster has one database only', 'take the number from the end of it')
  }
  return { kind: 'cluster', db } as const
}

const SENTINEL_PARAMETERS = ['sentinelUsername', 'sentinelPassword']

function readSentinel(path: string, query: string) {
  const [master = '', db = '', ...more] = path.split('/')
  if (master === '') throw new AddressError('the name of the master is missing', SENTINEL_EXAMPLE)
  if (more.length > 0) throw new AddressError(NOT_A_URL, SENTINEL_EXAMPLE)
  const parameters = new URLSearchParams(query)
  if ([...parameters.keys()].some((name) => !SENTINEL_PARAMETERS.includes(name))) {
    throw new AddressError(
      'it has an unknown parameter',
      `there are ${SENTINEL_PARAMETERS.join(' and ')}`,
    )
  }
  const username = parameters.get('sentinelUsername') ?? ''
  const password = parameters.get('sentinelPassword') ?? ''
  return {
    master: decoded(master, SENTINEL_EXAMPLE),
    db: readDatabase(db, SENTINEL_EXAMPLE),
    sentinelAccess: { ...(username !== '' && { username }), ...(password !== '' && { password }) },
  }
}
