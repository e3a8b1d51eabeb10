/** A gateway process on a Redis that fails: what its clients and its operators do and see. */
import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { type GatewayProcess, startGatewayProcess } from './gateway.js'
import { type RedisServer, startRedis } from './redis.js'
import { events, type Reader, startReader } from './sse-reader.js'
import { until } from './until.js'

export async function redis(t: Test, args: readonly string[] = []): Promise<RedisServer> {
  const server = await startRedis({ args: ['--save', '', '--appendonly', 'no', ...args] })
  t.teardown(() => server.stop())
  return server
}

/** Ends with the test, which fails where the process died or complained of something unforeseen. */
export async function gateway(t: Test, url: string): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ SLUICE_REDIS_URL: url, SLUICE_DRAIN_TIME: '1s' })
  t.teardown(async () => {
    await gateway.stop()
    const unforeseen = gateway.log.filter((line) => /unhandled|uncaught|[a-z]Error\b/i.test(line))
    if (unforeseen.length > 0) throw new Error(unforeseen.join('\n'))
  })
  return gateway
}

export function plain(t: Test, server: RedisServer): Redis {
  const client = new Redis(server.url)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

export async function reading(t: Test, url: string, channels: readonly string[]): Promise<Reader> {
  const reader = startReader({ url, channels })
  t.teardown(() => reader.stop())
  await reader.control('stream.live')
  return reader
}

export function post(url: string, channel: string, data: unknown): Promise<Response> {
  return fetch(`${url}/v1/events?channel=${channel}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': createHash('sha1').update(JSON.stringify(data)).digest('hex'),
    },
    body: JSON.stringify(data),
  })
}

/** As a client does it: the same request with the same key until it is accepted. Its position. */
export async function publish(url: string, channel: string, data: unknown): Promise<string> {
  for (;;) {
    const answer = await post(url, channel, data)
    const { id } = (await answer.json()) as { id: string }
    if (answer.status === 201) return id
    if (answer.status !== 503) throw new Error(`answered ${answer.status}`)
  }
}

export async function readiness(url: string): Promise<{ status: number; reason?: string }> {
  const answer = await fetch(`${url}/readyz`)
  return { ...((await answer.json()) as { reason?: string }), status: answer.status }
}

export const red = (url: string) => until('red', async () => (await readiness(url)).status === 503)
export const green = (url: string) =>
  until('green', async () => (await readiness(url)).status === 200)

export const dataOf = (reader: Reader, channel: string) =>
  events(reader.seen)
    .filter((event) => event.channel === channel)
    .map((event) => JSON.parse(event.data) as number)

export const seenAll = (reader: Reader, channels: readonly string[], count: number) =>
  reader.until(() => channels.every((each) => dataOf(reader, each).length >= count))

/** How often the log has said the same since then, at most. */
export function repetition(log: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const line of log) {
    const { msg } = JSON.parse(line) as { msg: string }
    counts.set(msg, (counts.get(msg) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}
