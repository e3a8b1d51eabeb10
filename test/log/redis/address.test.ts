/** What one text says about where Redis is. */
import t from 'tap'
import { AddressError, readAddress, shown } from '../../../src/log/redis/address.js'

const ONE = { tls: false, access: {}, db: 0, sentinelAccess: {}, master: '' }

t.test('one server', async (t) => {
  t.strictSame(readAddress('redis://localhost'), {
    ...ONE,
    kind: 'one',
    nodes: [{ host: 'localhost', port: 6379 }],
  })
  t.match(readAddress('rediss://me:a%40b:c@[::1]:7000/12'), {
    kind: 'one',
    nodes: [{ host: '::1', port: 7000 }],
    tls: true,
    access: { username: 'me', password: 'a@b:c' },
    db: 12,
  })
  t.strictSame(readAddress('redis://:p@h').access, { password: 'p' })
})

t.test('nodes of a cluster, each as a URL or without the scheme', async (t) => {
  const nodes = [
    { host: 'a', port: 1 },
    { host: 'b', port: 6379 },
    { host: 'c', port: 3 },
  ]
  const lists = ['redis://u:p@a:1,b,c:3', 'redis://u:p@a:1,redis://b,redis://u:p@c:3/']
  for (const list of [...lists, 'redis://u:p@a:1, redis://b, c:3']) {
    const found = readAddress(list)
    t.match(found, { kind: 'cluster', access: { username: 'u', password: 'p' }, db: 0 }, list)
    t.strictSame(found.nodes, nodes, list)
  }
})

t.test('sentinels, the name of the master, and two kinds of passwords', async (t) => {
  const text =
    'rediss+sentinel://me:secret@a,b:2/main/3?sentinelUsername=s&sentinelPassword=hush%26'
  t.strictSame(readAddress(text), {
    kind: 'sentinel',
    nodes: [
      { host: 'a', port: 26379 },
      { host: 'b', port: 2 },
    ],
    tls: true,
    access: { username: 'me', password: 'secret' },
    db: 3,
    sentinelAccess: { username: 's', password: 'hush&' },
    master: 'main',
  })
})

t.test('what is shown has where, and no secret', async (t) => {
  const shownAs: [text: string, shown: string][] = [
    ['redis://u:hush@a', 'redis://a:6379'],
    ['rediss://u:hush@[::1]:1/2', 'rediss://[::1]:1/2'],
    ['redis://:hush@a:1,b:2', 'redis://a:1,b:2'],
    ['redis+sentinel://u:hush@a:1/m/2?sentinelPassword=hush', 'redis+sentinel://a:1/m/2'],
  ]
  for (const [text, expected] of shownAs) t.equal(shown(readAddress(text)), expected)
})

t.test('whoever writes another scheme is told all that there are', async (t) => {
  for (const text of ['sentinel://a/b', 'http://a', 'a:6379']) {
    try {
      readAddress(text)
      t.fail(text)
    } catch (error) {
      if (!(error instanceof AddressError)) throw error
      for (const form of [/redis:\/\/host:/, /host1:6379,host2/, /redis\+sentinel:/, /rediss:/]) {
        t.match(error.advice, form, text)
      }
    }
  }
})

t.test('what can’t be read is refused with advice, without repeating it', async (t) => {
  const wrong = ['', 'redis://', 'redis://hush@', 'redis://a,,b', 'redis://a b', 'hush', 'redis:/a']
  const more = [
    'redis://a#hush',
    'redis://a/1/2',
    'redis+sentinel://a/m/x',
    'redis+sentinel://a/m/1/2',
  ]
  for (const text of [...wrong, ...more]) {
    try {
      readAddress(text)
      t.fail(text)
    } catch (error) {
      if (!(error instanceof AddressError)) throw error
      t.notMatch(`${error.message} ${error.advice}`, 'hush', text)
    }
  }
})
