import t from 'tap'
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
