/** What has to hold wherever the client runs: the same scenarios in Node and in Chromium. */
import type { Test } from 'tap'
import { type Badness, startBadProxy } from '../../support/bad-proxy.js'
import { startGatewayProcess } from '../../support/gateway.js'
import { freePort } from '../../support/ports.js'
import { createPublisher } from '../../support/publisher.js'
import { startRedis } from '../../support/redis.js'
import type { Driver, Note, Remote } from './driver.js'

/** Milliseconds within which every event is to be seen. */
const SOON = 10_000

const isLive = (notes: readonly Note[]) =>
  notes.some((it) => it.kind === 'state' && it.state === 'live')
const isReading = (notes: readonly Note[]) =>
  notes.some((it) => it.kind === 'state' && /live|polling/.test(it.state))
const hasEvents = (notes: readonly Note[], count: number) =>
  notes.filter((it) => it.kind === 'event').length >= count
const isIn = (notes: readonly Note[], state: string) =>
  notes.findLast((it) => it.kind === 'state')?.state === state

function seen(notes: readonly Note[]): unknown[] {
  return notes.flatMap((it) => (it.kind === 'event' ? [it.data] : []))
}

/** Rejects where it takes longer. */
async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Says what was seen where a scenario's patience ends. */
async function expectEvents(t: Test, remote: Remote, expected: readonly unknown[]): Promise<void> {
  try {
    await within(SOON, 'every event', remote.until(hasEvents, expected.length))
  } catch (error) {
    t.comment(JSON.stringify(await remote.notes()))
    throw error
  }
  const notes = await remote.notes()
  t.same(seen(notes), expected, 'each once, in order')
  t.notOk(
    notes.some(({ kind }) => kind === 'gap'),
    'without a gap',
  )
}

/** What a proxy's page is to be told. */
const MODES: Readonly<Record<Exclude<Badness, 'none'>, string>> = {
  'holds-body': 'polling',
  'holds-last': 'polling',
  'cuts-idle': 'live',
  'strips-comments': 'live',
  'answers-502': 'live',
}

/** All of them side by side: most of the time is waiting. */
export async function runScenarios(
  t: Test,
  driver: Driver,
  env: Record<string, string> = {},
): Promise<void> {
  t.jobs = 20
  const gateway = await startGatewayProcess(env)
  t.teardown(gateway.stop)
  let names = 0
  const channelName = () => `scenario:${++names}`

  async function open(t: Test, url: string, channels: readonly string[], more: object = {}) {
    const remote = await driver.open({ url, channels, ...more })
    t.teardown(remote.close)
    return remote
  }

  /** Reads by a stream. On a machine so busy that the first frame is late it begins by polls, and is opened again. */
  async function openLive(t: Test, url: string, channels: readonly string[]) {
    for (;;) {
      const remote = await open(t, url, channels)
      if (isLive(await remote.until(isReading, undefined))) return remote
      await remote.close()
    }
  }

  for (const badness of Object.keys(MODES) as (keyof typeof MODES)[]) {
    t.test(`through a proxy that ${badness}: every event within ten seconds`, async (t) => {
      const proxy = await startBadProxy(() => gateway.port, badness)
      t.teardown(proxy.stop)
      const channel = channelName()
      const publisher = createPublisher()
      await publisher.one(gateway.url, channel, 0)
      const remote = await open(t, proxy.url, [channel], { rewind: 10 })
      const expected: unknown[] = [0]
      if (badness === 'answers-502') {
        await within(SOON, 'a reason', remote.until(isIn, 'waiting'))
        await pause(10_000)
        proxy.badness = 'none'
      }
      for (const wait of [0, 0, 100, 3000, 7000]) {
        await pause(wait)
        expected.push(expected.length)
        await publisher.one(gateway.url, channel, expected.length - 1)
      }
      await expectEvents(t, remote, expected)
      await within(SOON, MODES[badness], remote.until(isIn, MODES[badness]))
      // What it publishes itself, too.
      for (let n = 0; n < 3; n++) {
        expected.push(`own ${n}`)
        await remote.publish(channel, `own ${n}`)
      }
      await expectEvents(t, remote, expected)
    })
  }

  t.test('a proxy that comes to hold things back is found out by a publish', async (t) => {
    const proxy = await startBadProxy(() => gateway.port, 'none')
    t.teardown(proxy.stop)
    const channel = channelName()
    const remote = await openLive(t, proxy.url, [channel])
    // By now the stream has been found to be sound.
    await pause(4000)
    proxy.hold()
    await remote.publish(channel, 'after')
    await expectEvents(t, remote, ['after'])
    await within(SOON, 'polling', remote.until(isIn, 'polling'))
  })

  t.test('restarts are lived through, with a goodbye and without', async (t) => {
    const redis = await startRedis()
    t.teardown(redis.stop)
    const port = String(await freePort())
    const settings = { SLUICE_PORT: port, SLUICE_DRAIN_TIME: '200ms', SLUICE_REDIS_URL: redis.url }
    let current = await startGatewayProcess({ ...env, ...settings })
    t.teardown(() => current.stop())
    const channel = channelName()
    const remote = await open(t, current.url, [channel])
    await remote.until(isReading, undefined)
    const expected = ['before']
    await createPublisher().one(current.url, channel, 'before')
    await remote.until(hasEvents, 1)
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await current.kill(signal)
      // Waits for as long as the gateway is away.
      expected.push(`while it was away by ${signal}`)
      await remote.publish(channel, expected.at(-1))
      current = await startGatewayProcess({ ...env, ...settings })
    }
    await expectEvents(t, remote, expected)
  })
}
