/** Request targets that are nearly right: other spellings, other forms, too much of everything. */
import type { Random } from '../support/random.js'
import { one } from './chance.js'
import type { Request } from './request.js'

type Rewrite = (text: string, random: Random) => string

const anywhere = (text: string, random: Random, piece: string): string => {
  const at = random.between(0, text.length)
  return text.slice(0, at) + piece + text.slice(at)
}

const PATHS: readonly Rewrite[] = [
  (path) => `/${path}`,
  (path) => `${path}/`,
  (path) => `${path};x`,
  (path) => `${path}%00`,
  (path) => path.replaceAll('/', '//'),
  (path) => path.replaceAll('/', '%2f'),
  (path) => path.replaceAll('/', '\\'),
  (path) => path.toUpperCase(),
  (path) => path.replace('/', '/./'),
  (path) => path.replace('/v1', '/v1/../v1'),
  (path) => path.replace('/v1', '/v1/%2e%2e/v1'),
  (path) => path.replace('/v1', ''),
  (path) => path.replace('/v1', '/v2'),
  (path) => path.replace('e', '%65'),
  (path) => path.replace('e', '%6'),
  (path) => path.replace('e', '%zz'),
  (path) => path.replace('e', '%c0%ae'),
  (path) => path.replace('e', '\xe9'),
  (path) => path.replace('e', '%ed%a0%80'),
  (path) => `${path}#fragment`,
  (path) => `${path}/__proto__/constructor`,
  (path) => `http://evil.example${path}`,
  (path) => `http://127.0.0.1${path}`,
  (path) => `//evil.example${path}`,
  (path) => `file://${path}`,
  (path) => path.slice(1),
  (path) => `${path} ${path}`,
  (path, random) => anywhere(path, random, ' '),
  (path, random) => anywhere(path, random, '\x00'),
  (path, random) => anywhere(path, random, '\t'),
  (path, random) => anywhere(path, random, '%'),
  (path) => `${path}/${'a'.repeat(5_000)}`,
  (path) => `${path}/${'a/'.repeat(8_000)}`,
  (path) => `${path}/${'%61'.repeat(20_000)}`,
  () => '*',
  () => '/',
  () => '',
  () => '/metrics',
  () => '/v1/relay/none/v1/chat/completions',
  () => '/v1/runs/..%2f..%2fevents',
  () => '/../../etc/passwd',
  () => '127.0.0.1:80',
  () => '/%6detrics',
]

const QUERIES: readonly Rewrite[] = [
  () => '',
  (query) => `${query}&${query}`,
  (query) => `${query}&channel=`,
  (query) => `${query}&channel=*`,
  (query) => `${query}&channel=run:1`,
  (query) => `${query}&channel=..%2f..%2f`,
  (query) => `${query}&channel=%00`,
  (query) => `${query}&channel=%0d%0adata:%20x`,
  (query) => `${query}&channel=${'c'.repeat(1_024)}`,
  (query) => `${query}&channel=%ff%fe`,
  (query) => `${query}&channel=%zz`,
  (query) => `${query}&channel=[a]&channel={p0}`,
  (query) => `${query}&after=garbage`,
  (query) => `${query}&after=-1--1`,
  (query) => `${query}&after=${2n ** 64n}-0`,
  (query) => `${query}&after=99999999999999-0`,
  (query) => `${query}&after=p`,
  (query) => `${query}&after=pDZqjOq8AAAANAAA`,
  (query) => `${query}&after=end.1763675123456-53248`,
  (query) => `${query}&after=1763675123456-53248%0aid:%201`,
  (query) => `${query}&after=${'9'.repeat(2_000)}`,
  (query) => `${query}&rewind=${'9'.repeat(6)}h`,
  (query) => `${query}&rewind=0`,
  (query) => `${query}&wait=26`,
  (query) => `${query}&wait=1e3`,
  (query) => `${query}&limit=0`,
  (query) => `${query}&limit=1001`,
  (query) => `${query}&format=raw`,
  (query) => `${query}&mode=poll&wait=0`,
  (query) => `${query}&session=short`,
  (query) => `${query}&session=${'s'.repeat(128)}`,
  (query) => `${query}&ticket=nothing`,
  (query) => `${query}&ticket=${'t'.repeat(500)}`,
  (query) => `${query}&access_token=a.b.c`,
  (query) => `${query}&name=stream.bye`,
  (query) => `${query}&name=a%0ab`,
  (query) => `${query}&ephemeral=maybe`,
  (query) => `${query}&__proto__=1`,
  (query) => `${query}&__proto__[polluted]=1`,
  (query) => `${query}&constructor[prototype][polluted]=1`,
  (query) => `${query}&hasOwnProperty=1`,
  (query) => `${query}&unknown=1`,
  (query) => `&&&=&=&${query}&=`,
  (query) => query.replaceAll('=', ''),
  (query) => query.replaceAll('&', ';'),
  (query) => query.replaceAll('channel', 'CHANNEL'),
  (query) => query.replaceAll('channel', 'channel[]'),
  (query) => query.replaceAll('channel', '%63hannel'),
  (query) => query.replaceAll(':', '+'),
  (query) => `${query}?${query}`,
  (query) => `${query}&x=${'y'.repeat(10_000)}`,
  (query) => `${query}&x=${'y'.repeat(60_000)}`,
  (query) => `${query}${'&channel=fuzz:1'.repeat(1_500)}`,
  (query) => `${query}${Array.from({ length: 1_001 }, (_, i) => `&channel=f${i}`).join('')}`,
]

export function mutatePath(request: Request, random: Random): void {
  const [path = '', ...query] = request.target.split('?')
  request.target = [one(random, PATHS)(path, random), ...query].join('?')
}

export function mutateQuery(request: Request, random: Random): void {
  const [path, ...query] = request.target.split('?')
  request.target = `${path}?${one(random, QUERIES)(query.join('?'), random)}`
}
