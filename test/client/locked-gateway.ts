/** A gateway that wants tokens, a clock that stands still, and tokens that go by it. */
import { SignJWT } from 'jose'
import type { Test } from 'tap'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'

export const SECRET = 'a secret that is known to this test only'

export async function lockedGateway(t: Test, flags: Readonly<Record<string, string>> = {}) {
  let time = Date.now()
  const config = loadConfig({
    flags: { port: '0', 'drain-time': '1s', 'jwt-secret': SECRET, ...flags },
  })
  const gateway = await startGateway(config, { internals: { now: () => time } })
  t.teardown(() => gateway.close())
  return {
    url: gateway.url,
    now: () => time,
    advance(ms: number) {
      time += ms
    },
    /** For some seconds; `words`: what may be done on the channel "c". */
    token(seconds: number, words: readonly string[] = ['subscribe', 'publish'], claims = {}) {
      const payload = { sluice: { channels: { c: words } }, exp: time / 1000 + seconds, ...claims }
      const key = new TextEncoder().encode(SECRET)
      return new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(key)
    },
  }
}
