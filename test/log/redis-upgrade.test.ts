/** Gateways of two versions on one Redis: what a rolling upgrade relies on. */
import { Redis } from 'ioredis'
import t from 'tap'
import { hashTag } from '../../src/log/redis/slots.js'
import { createRedisLog } from '../../src/log/redis.js'
import { startRedis } from '../support/redis.js'
import { createRecorder, dataOf, drafts, everything, retentionFor } from './subject.js'

const BASE = `sluice:{${hashTag(0, 1)}}`

/** The strings of a reply, however Redis arranges it. */
function strings(reply: unknown): string[] {
  if (typeof reply === 'string') return [reply]
  return typeof reply === 'object' && reply !== null ? Object.values(reply).flatMap(strings) : []
}

/** The library that is loaded, and its version. */
async function library(client: Redis): Promise<{ code: string; version: string }> {
  const list = strings(await client.call('FUNCTION', 'LIST', 'WITHCODE'))
  const code = list.find((text) => text.startsWith('#!lua')) ?? ''
  return { code, version: /name=sluice_(\w+)/.exec(code)?.[1] ?? '' }
}

t.test('functions of another version live beside ours and write the same log', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  const log = createRedisLog({ url: server.url, retentionFor })
  const heard = createRecorder()
  await log.start(heard)
  t.teardown(() => log.stop())
  await log.follow('a')
  await log.append(drafts('a', 1))

  const { code, version } = await library(client)
  await client.call('FUNCTION', 'LOAD', code.replaceAll(version, 'another'))
  const group = ['G', 1, 0, 1, '', '', '1']
  const args = ['its', 1, '1:0', 0, 1, 'a', 1000, 60_000, ...group]
  await client.fcall('sluice_write_another', 1, BASE, ...args)
  await log.append(drafts('a', 1, 2))
  await heard.until(() => heard.entries.length === 3)
  t.same(dataOf(heard.entries), ['0', '1', '2'])
  t.same(heard.holes, [])
  t.same(dataOf((await everything(log, 'a')).entries), ['0', '1', '2'])

  await client.call('FUNCTION', 'DELETE', 'sluice_another')
  await log.append(drafts('a', 1, 3))
  t.equal((await everything(log, 'a')).entries.length, 4, 'removing the other one hurts nobody')
})
