/** A gateway that is killed takes nobody along who comes back in time, and everybody else leaves once. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { PresenceMember } from '../../src/wire/presence.js'
import { ask } from '../routes/support/ask.js'
import { type Stream, subscribe } from '../routes/support/stream.js'
import { startRedis } from '../support/redis.js'
import { Watcher } from '../support/watcher.js'

const PROGRAM = fileURLToPath(new URL('./gateway.ts', import.meta.url))
const GRACE_MS = 3_000
const LEASE_MS = 3_000

async function start(t: Test, redisUrl: string): Promise<{ url: string; child: ChildProcess }> {
  const child = fork(PROGRAM, [redisUrl, String(GRACE_MS), String(LEASE_MS)])
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const [url] = await once(child, 'message')
  return { url, child }
}

const session = (i: number) => `member-${i}`.padEnd(22, '_')

async function enter(t: Test, url: string, i: number): Promise<Stream> {
  const stream = await subscribe(url, ['chat:7'], `session=${session(i)}`)
  t.teardown(stream.close)
  await stream.event('presence.state')
  return stream
}

t.test('of a gateway that is killed those leave once who don’t come back', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const [doomed, other] = [await start(t, redis.url), await start(t, redis.url)]
  const watching = await subscribe(other.url, ['presence:chat:7'])
  t.teardown(watching.close)
  await watching.event('presence.state')
  const streams = await Promise.all(Array.from({ length: 20 }, (_, i) => enter(t, doomed.url, i)))
  const ids = streams.map(({ blocks }) => blocks[0]!.json.session as string)
  const [back, gone] = [ids.slice(0, 10), ids.slice(10)]

  const killed = performance.now()
  doomed.child.kill('SIGKILL')
  await Promise.all(streams.map((stream) => stream.over()))
  await Promise.all(back.map((_, i) => enter(t, other.url, i)))

  const lefts = () =>
    watching.blocks
      .filter(({ event }) => event === 'presence.diff')
      .flatMap(({ json }) => json.data.left as { id: string; reason: string }[])
  await watching.until(() => lefts().length >= gone.length)
  const took = performance.now() - killed
  t.ok(took > GRACE_MS, 'not before the grace is over')
  t.strictSame(
    lefts()
      .map(({ id }) => id)
      .sort(),
    gone.toSorted(),
  )
  t.ok(lefts().every(({ reason }) => reason === 'timeout'))

  const { json } = await ask(`${other.url}/v1/presence?channel=chat:7`)
  const present = (json.members as PresenceMember[]).map(({ id }) => id)
  t.strictSame(present.toSorted(), back.toSorted())
  const watcher = new Watcher('chat:7')
  for (const { event, json } of watching.blocks) watcher.take(event, json)
  t.strictSame(watcher.faults, [])
  t.strictSame(
    watcher.all.map(({ id }) => id),
    back.toSorted(),
  )
})
