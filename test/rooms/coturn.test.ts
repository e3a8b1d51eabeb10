/** A real relay with docs/coturn.conf: it takes the gateway's credentials, and can't be used for anything else. */
import { networkInterfaces } from 'node:os'
import t, { type Test } from 'tap'
import { turnCredential } from '../../src/rooms/ice.js'
import { visitor } from '../routes/support/rooms.js'
import { start } from '../routes/support/start.js'
import { type Relay, startRelay } from '../support/coturn.js'
import { askRelay } from './turn.js'

let relay: Relay
const sixes = networkInterfaces().lo?.some(({ family }) => family === 'IPv6') === true
t.before(async () => {
  relay = await startRelay({ lines: sixes ? ['relay-ip=::1'] : [] })
})
t.teardown(() => relay.stop())

const credentials = (ttl: number, secret = relay.secret, name = 'alice') => {
  const username = `${Math.floor(Date.now() / 1000) + ttl}:${name}`
  return { username, credential: turnCredential(secret, username) }
}

t.test('what the gateway gives out opens the relay, over UDP and over TLS', async (t) => {
  const { port, tlsPort, secret, certificate: ca } = relay
  const urls = [`turn:127.0.0.1:${port}`, `turns:localhost:${tlsPort}?transport=tcp`]
  const { url } = await start(t, { iceServers: { servers: [{ urls, secret }] } })
  const alice = visitor(url)
  await alice.join('r', { participant: 'al|ice' })
  const fresh = await alice.request('GET', '/v1/ice-servers')
  for (const { json } of [alice.joined, fresh]) {
    const [server] = json.iceServers
    t.same(server.urls, urls)
    t.equal((await askRelay({ port }, server)).allocation, 0)
    t.equal((await askRelay({ port: tlsPort, ca }, server)).allocation, 0)
  }
})

t.test(
  'what has ended, or was made with another secret, or for another name, does not',
  async (t) => {
    const wrong = [
      credentials(-1),
      credentials(60, 'another secret'),
      { ...credentials(60), credential: '' },
      { ...credentials(60), username: credentials(60, relay.secret, 'mallory').username },
      { ...credentials(60), username: credentials(3600).username },
    ]
    for (const user of wrong) t.equal((await askRelay(relay, user)).allocation, 401, user.username)
    t.equal((await askRelay(relay, credentials(60))).allocation, 0)
  },
)

t.test('while its secret changes, both count', async (t) => {
  const both = await startRelay({ lines: ['static-auth-secret=the one before it'] })
  t.teardown(() => both.stop())
  for (const secret of [both.secret, 'the one before it']) {
    t.equal((await askRelay(both, credentials(60, secret))).allocation, 0, secret)
  }
})

const FOUR = {
  inside: [
    ...['10.0.0.1', '172.16.0.1', '172.31.255.254', '192.168.1.1', '127.0.0.1', '0.0.0.0'],
    ...['169.254.169.254', '100.64.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
  ],
  outside: ['1.1.1.1', '172.32.0.1', '192.169.0.1'],
}
const SIX = {
  inside: [
    ...['::1', '::ffff:a00:1', '64:ff9b::a00:1', '2001:0:1::1', '2001:db8::1', '2002:a00:1::1'],
    ...['fc00::1', 'fdff:ffff::1', 'fe80::1', 'ff02::1'],
  ],
  outside: ['2606:4700::1', '2a00::1'],
}

async function judge(t: Test, family: 4 | 6, { inside, outside }: typeof FOUR): Promise<void> {
  const all = [...inside, ...outside]
  const { allocation, peers } = await askRelay(relay, credentials(60), all, family)
  t.equal(allocation, 0)
  t.same(
    peers.map((verdict, i) => [all[i], verdict]),
    [...inside.map((it) => [it, 403]), ...outside.map((it) => [it, 0])],
  )
}

t.test('it relays to no private address', async (t) => {
  await judge(t, 4, FOUR)
  if (sixes) await judge(t, 6, SIX)
})
