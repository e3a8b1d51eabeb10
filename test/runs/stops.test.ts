/** When a gateway asks for runs that are to stop. */
import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { createStops } from '../../src/runs/stops.js'

/** Partitions by the order in which they were asked; each answer is as `answer` says. */
function asking(answer: (partition: number) => Promise<readonly string[]> = async () => []) {
  const asked = new EventEmitter()
  const counts = [0, 0]
  let time = 0
  const stops = createStops({
    every: 1,
    now: () => time,
    ask(partition) {
      counts[partition]!++
      asked.emit(String(partition))
      return answer(partition)
    },
  })
  return {
    stops,
    counts,
    elapse(ms: number) {
      time += ms
    },
    /** Resolves when a partition was asked so many times more. */
    async more(partition: number, times: number) {
      for (let i = 0; i < times; i++) await once(asked, String(partition))
    },
  }
}

t.test('only where somebody here produces, and for as long', async (t) => {
  const { stops, counts, elapse, more } = asking()
  stops.start(() => {})
  t.teardown(() => stops.stop())
  stops.watch(1, 1000)
  await more(1, 3)
  t.equal(counts[0], 0)
  stops.watch(0, 100)
  stops.watch(0, 50)
  elapse(99)
  await more(0, 3)
  elapse(1)
  const before = counts[0]
  await more(1, 3)
  t.equal(counts[0], before)
})

t.test('a partition that is silent is asked once, and holds up no other', async (t) => {
  const { stops, counts, more } = asking((it) =>
    it === 0 ? new Promise(() => {}) : Promise.resolve([]),
  )
  stops.start(() => {})
  t.teardown(() => stops.stop())
  stops.watch(0, 1000)
  stops.watch(1, 1000)
  await more(1, 3)
  t.equal(counts[0], 1)
})

t.test('one that refuses is asked again, and what it says then is told', async (t) => {
  let refusals = 2
  const { stops } = asking(async () => {
    if (refusals-- > 0) throw new Error('not now')
    return ['a', 'b']
  })
  const told = new EventEmitter()
  stops.start((id) => told.emit(id))
  t.teardown(() => stops.stop())
  stops.watch(0, 1000)
  await Promise.all([once(told, 'a'), once(told, 'b')])
  t.ok(refusals < 0)
})

t.test('after its own stop it says nothing more', async (t) => {
  let answer: (ids: string[]) => void = () => {}
  const { stops, more } = asking(() => new Promise((resolve) => (answer = resolve)))
  const ids: string[] = []
  stops.start((id) => ids.push(id))
  stops.watch(0, 1000)
  await more(0, 1)
  stops.stop()
  answer(['a'])
  await new Promise(setImmediate)
  t.same(ids, [])
})
