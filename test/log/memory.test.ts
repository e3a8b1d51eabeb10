import t from 'tap'
import { FENCE_TTL_MS } from '../../src/log/fences.js'
import { createMemoryLog } from '../../src/log/memory.js'
import { logContract } from './contract.js'
import { createRecorder, retentionFor } from './subject.js'

await logContract(t, 'memory', async ({ partitions = 1 } = {}) => {
  let time = 1_763_675_123_456
  const log = createMemoryLog({ retentionFor, partitions, now: () => time })
  const heard = createRecorder()
  await log.start(heard)
  return {
    log,
    heard,
    elapse: async (ms) => {
      time += ms
    },
    stop: () => log.stop(),
  }
})

t.test('the log in memory forgets a fence a day after it was raised', async (t) => {
  let time = 1_763_675_123_456
  const log = createMemoryLog({ retentionFor, now: () => time })
  const by = (fence: number) => log.append([{ channel: 'a', name: 'message', data: '1', fence }])
  await log.fence('a', 2)
  time += FENCE_TTL_MS - 1
  await t.rejects(by(1), { code: 'fenced' })
  time += 1
  await by(1)
})
