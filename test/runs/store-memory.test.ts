/** The records of one process’s runs, by a clock of its own. */
import t from 'tap'
import { ENDED, KEYS } from '../../src/runs/store-limits.js'
import { createMemoryRuns } from '../../src/runs/store-memory.js'
import { storeContract } from './store-contract.js'
import { begin, createHeard, DONE, KEEP, LEASE, standing } from './store-subject.js'

const START = 1_763_675_123_456

await storeContract(t, 'memory', async () => {
  let time = START
  const store = createMemoryRuns({ now: () => time })
  const heard = createHeard()
  await store.start(heard.hear)
  return {
    ...{ one: store, other: store, heard: { one: heard, other: heard } },
    async elapse(ms) {
      time += ms
    },
    stop: () => store.stop(),
  }
})

t.test('beyond the bound the run that ended first is forgotten, none that runs', async (t) => {
  const store = createMemoryRuns({ now: () => START })
  await begin(store, 'running')
  for (let i = 0; i <= ENDED; i++) {
    await begin(store, `r${i}`)
    await store.finish(`r${i}`, 1, { state: 'done', events: 0 }, KEEP)
  }
  t.equal(await store.get('r0'), undefined)
  t.match(await store.get('r1'), { state: 'done' })
  t.equal(await standing(store, 'running', 1), 'held')
})

t.test('texts beyond their bound go first, their runs keep their end', async (t) => {
  const store = createMemoryRuns({ now: () => START, texts: 10 })
  const end = async (id: string, text: string) => {
    await begin(store, id)
    t.match(await store.finish(id, 1, { ...DONE, text }, KEEP), { text })
  }
  const texts = async () => {
    const runs = await Promise.all(['a', 'b', 'c'].map((id) => store.get(id)))
    t.match(runs, [{ state: 'done' }, { state: 'done' }, { state: 'done' }])
    return runs.map((run) => run!.text)
  }
  await end('a', '12345')
  await end('b', '67890')
  await end('c', '')
  t.same(await texts(), ['12345', '67890', ''])
  await end('d', '1')
  t.same(await texts(), [undefined, '67890', ''])
  await end('e', '12345678901')
  t.same(await texts(), [undefined, '67890', ''], 'one that is larger drives nobody out')
  t.equal((await store.get('e'))!.text, undefined)
})

t.test('beyond the bound the oldest key is forgotten', async (t) => {
  const store = createMemoryRuns({ now: () => START })
  for (let i = 0; i <= KEYS; i++) await store.keyed(`k${i}`, 'first', KEEP)
  t.equal(await store.keyed('k1', 'second', KEEP), 'first')
  t.equal(await store.keyed('k0', 'second', KEEP), 'second')
})

t.test('a clock that is set back ends no run before it began', async (t) => {
  let time = START
  const store = createMemoryRuns({ now: () => time })
  await begin(store, 'a', LEASE)
  time -= 1000
  t.match(await store.finish('a', 1, DONE, KEEP), { started: START, ended: START })
})
