/** What a browser gets: one small file, with nothing of Node in it. */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { start } from '../routes/support/start.js'

const file = (name: string) => readFileSync(new URL(`../../dist/browser/${name}`, import.meta.url))

t.test('the file for browsers has at most 12 KiB, packed', async (t) => {
  const { length } = gzipSync(file('client.js'), { level: 9 })
  t.comment(`${length} bytes`)
  t.ok(length <= 12 * 1024, `${length} bytes`)
})

t.test('nothing of Node is in it, and nothing that has to be loaded', async (t) => {
  const text = file('client.js').toString()
  t.notMatch(text, /\bimport\s*[("'{*]|\bfrom\s*["']|\brequire\(/)
  t.notMatch(text, /node:|\bprocess\.|\bBuffer\b/)
  t.match(text, /export\s*\{[^}]*\bconnect\b/)
})

t.test('the gateway serves it, with its source map', async (t) => {
  const { url } = await start(t)
  const response = await fetch(`${url}/client.js`)
  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), 'text/javascript')
  t.equal(response.headers.get('content-encoding'), 'gzip')
  t.match(response.headers.get('content-security-policy'), 'connect-src *')
  const text = await response.text()
  t.equal(text, file('client.js').toString())
  t.match(text, '//# sourceMappingURL=client.js.map')
  const map = await fetch(`${url}/client.js.map`)
  t.ok((await map.json()).sources.some((it: string) => it.endsWith('src/client/client.ts')))
  const again = await fetch(`${url}/client.js`, {
    headers: { 'if-none-match': response.headers.get('etag')! },
  })
  t.equal(again.status, 304)
  const post = await fetch(`${url}/client.js`, { method: 'POST' })
  t.equal(post.status, 405)
})
