/** ICE servers: what an operator may write, and what callers get. */
import t from 'tap'
import { iceFor, iceLinks, turnCredential } from '../../src/rooms/ice.js'
import { type IceServersError, readIceServers } from '../../src/rooms/ice-read.js'

const ENV = { TURN_SECRET: 'a-secret', EMPTY: '' }
const read = (value: unknown) => readIceServers(value, ENV)
const server = (...urls: string[]) => ({ servers: [{ urls, secret: '$TURN_SECRET' }] })

function fault(value: unknown): string {
  try {
    read(value)
    return 'none'
  } catch (error) {
    const { message, advice } = error as IceServersError
    return `${message}; ${advice}`
  }
}

t.test('secrets come from the environment, everything else has a default', async (t) => {
  t.strictSame(
    read({ servers: [{ urls: 'stun:s.example' }, ...server('turn:t.example').servers] }),
    {
      servers: [{ urls: ['stun:s.example'] }, { urls: ['turn:t.example'], secret: 'a-secret' }],
      ttlMs: 3_600_000,
      relayOnly: false,
    },
  )
  t.match(read({ ttl: '90s' }), { servers: [], ttlMs: 90_000 })
})

t.test('every spelling of a server that browsers take', async (t) => {
  const urls = [
    ...['turn:t.example:3478', 'turn:10.0.0.7?transport=udp', 'turns:t.example:443?transport=tcp'],
    ...['turn:[2001:db8::1]:3478?transport=tcp', 'stun:t.example:19302'],
  ]
  t.equal(fault(server(...urls)), 'none')
})

t.test('what is wrong is told with what to write', async (t) => {
  const told: [value: unknown, message: RegExp][] = [
    [
      server('turns:t.example:443?transport=tls'),
      /server 1: .*no transport "tls"; .*write turns:t\.example:443\?transport=tcp/,
    ],
    [server('turn:t.example?transport=tls'), /write turns:t\.example\?transport=tcp/],
    [server('turn://t.example'), /has slashes; write turn:t\.example$/],
    [server('https://t.example'), /no URL of a STUN or TURN server/],
    [server('turn:t.example:70000'), /no URL/],
    [server('turn:t.example?x=1'), /has a query/],
    [{ servers: [{ urls: 'stun:t.example?transport=udp' }] }, /has a query/],
    [{ servers: [{ urls: 'turn:t.example' }] }, /needs credentials; give the "secret"/],
    [{ servers: [{ urls: 'stun:t.example', secret: 'x' }] }, /credentials are for turn: URLs/],
    [{ servers: [{ urls: 'turn:t.example', username: 'u' }] }, /go together/],
    [
      { servers: [{ urls: 'turn:t.example', secret: 's', username: 'u', credential: 'c' }] },
      /keep the secret/,
    ],
    [
      { servers: [{ urls: 'turn:t.example', secret: '$NOT_SET' }] },
      /wants the variable NOT_SET, which is not set; set NOT_SET/,
    ],
    [{ servers: [{ urls: 'turn:t.example', secret: '$EMPTY' }] }, /EMPTY, which is not set/],
    [{ servers: [{ urls: 'turn:t.example', secret: 'a$' }] }, /a \$ that names no variable/],
    [{ servers: [{ urls: 'turn:t.example', secret: 'a\n' }] }, /line end at the end/],
    [
      { servers: [{ urls: 'turn:t.example', password: 'x' }] },
      /no key "password"; the keys are urls, secret/,
    ],
    [{ servers: [{ urls: [] }] }, /0 URLs/],
    [{ servers: {} }, /not a list/],
    [{ server: [] }, /no key "server"; the keys are servers, ttl, relayOnly/],
    [
      { servers: [{ urls: 'stun:s.example' }], relayOnly: true },
      /without a relay lets nobody through/,
    ],
    [{ relayOnly: 'yes' }, /neither true nor false/],
    [{ ttl: '1s' }, /between 1m and 7d/],
    [{ ttl: 'soon' }, /between 1m and 7d/],
    [[], /not an object/],
  ]
  for (const [value, message] of told) t.match(fault(value), message)
  t.notMatch(fault({ servers: [{ urls: 'turn:t.example', secret: 'hush\n' }] }), 'hush')
})

t.test('a name with its end in it, and a credential that the relay reckons too', async (t) => {
  const ice = read({ ...server('turn:t.example', 'stun:t.example'), ttl: '10m', relayOnly: true })
  const { iceServers, ttl, iceTransportPolicy } = iceFor(ice, 'alice', 1_700_000_000_500)
  t.match({ ttl, iceTransportPolicy }, { ttl: 600, iceTransportPolicy: 'relay' })
  const username = '1700000600:alice'
  t.strictSame(iceServers, [
    {
      urls: ['turn:t.example', 'stun:t.example'],
      username,
      credential: turnCredential('a-secret', username),
    },
  ])
  t.equal(turnCredential('north', '1700000600:alice'), 'gthUwOpcRoLI0MMCziCEBOWYnpo=')
  const odd = iceFor(ice, 'A "name" with blanks', 0).iceServers[0]?.username
  t.match(odd, /^600:[\w-]{12}$/, 'what no header carries is not in a name')
})

t.test('links as WHIP has them', async (t) => {
  const links = iceLinks([
    { urls: ['stun:s.example'] },
    {
      urls: ['turn:t.example', 'turns:t.example:443?transport=tcp'],
      username: '1:a',
      credential: 'q"\\',
    },
  ])
  const secret = 'username="1:a"; credential="q\\"\\\\"; credential-type="password"'
  t.strictSame(links.split(', '), [
    '<stun:s.example>; rel="ice-server"',
    `<turn:t.example>; rel="ice-server"; ${secret}`,
    `<turns:t.example:443?transport=tcp>; rel="ice-server"; ${secret}`,
  ])
})
