import t from 'tap'
import { taking } from '../../src/relay/taking.js'

/** A clock that rings when it is told to. */
function clock() {
  let ring: (() => void) | undefined
  return {
    get runs() {
      return ring !== undefined
    },
    ring: () => ring?.(),
    later(run: () => void) {
      ring = run
      return () => (ring = undefined)
    },
  }
}

function stage(parts: readonly string[]) {
  const time = clock()
  let stuck = 0
  async function* body() {
    for (const part of parts) yield Buffer.from(part)
  }
  const taken = taking(body(), { slowMs: 1, later: time.later, stuck: () => stuck++ })
  return { time, taken, iterator: taken.parts[Symbol.asyncIterator](), stuck: () => stuck }
}

t.test('whoever doesn’t ask for more is stuck, and nobody else', async (t) => {
  const { time, iterator, stuck } = stage(['a', 'b'])
  t.equal(time.runs, false)
  t.equal(String((await iterator.next()).value), 'a')
  t.equal(time.runs, true)
  const next = iterator.next()
  t.equal(time.runs, false, 'its source takes its time')
  await next
  time.ring()
  t.equal(stuck(), 1)
})

t.test('the last part has to be taken, too', async (t) => {
  const { time, taken, iterator, stuck } = stage(['a'])
  await iterator.next()
  t.equal((await iterator.next()).done, true)
  t.equal(time.runs, true)
  taken.over()
  t.equal(time.runs, false)
  t.equal(stuck(), 0)
})
