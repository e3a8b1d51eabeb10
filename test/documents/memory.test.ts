/** Documents of one process, by a clock of its own. */
import t from 'tap'
import { KEEP_MS } from '../../src/documents/documents.js'
import { createMemoryDocuments } from '../../src/documents/memory.js'
import { createMemoryLog } from '../../src/log/memory.js'
import { createRecorder, retentionFor } from '../log/subject.js'
import { documentsContract } from './contract.js'
import { create, LEASE, NAME, said } from './subject.js'

function begin(partitions = 1) {
  let time = 1_763_675_123_456
  const now = () => time
  const log = createMemoryLog({ retentionFor, partitions, now })
  const documents = createMemoryDocuments(log, { now })
  return {
    log,
    documents,
    async elapse(ms: number) {
      time += ms
    },
  }
}

for (const partitions of [1, 4]) {
  await documentsContract(t, `memory, ${partitions} partitions`, async () => {
    const { log, documents, elapse } = begin(partitions)
    const heard = createRecorder()
    await log.start(heard)
    return { one: documents, other: documents, log, heard, elapse, stop: () => log.stop() }
  })
}

t.test('a change is made in the turn in which it is asked for', async (t) => {
  const { log, documents } = begin()
  const changing = documents.change(NAME, { version: 0, set: { n: '1' }, drafts: [said('1')] })
  const { order } = log.position(0)
  t.match(await changing, { kind: 'changed', position: { order } })
})

t.test('what nobody touches is forgotten', async (t) => {
  const { documents, elapse } = begin()
  await create(documents, { m: LEASE })
  await create(documents, { m: LEASE }, 'room:other')
  await elapse(KEEP_MS - 1)
  t.same(await documents.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['held'])
  await elapse(1)
  t.not((await documents.read(NAME)).version, 0)
  t.equal((await documents.read('room:other')).version, 0)
  t.same(await documents.overdue(10, LEASE), [])
})
