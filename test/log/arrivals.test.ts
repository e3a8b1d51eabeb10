/** The order of arrivals: what is gone from a channel takes no place for long, and never hides what is there. */
import t from 'tap'
import { createArrivals } from '../../src/log/arrivals.js'
import type { Entry } from '../../src/log/log.js'
import { createShelf, type Shelf } from '../../src/log/shelf.js'
import { seeded } from '../support/random.js'

function shelf(channel: string, maxEvents: number): Shelf {
  return createShelf(channel, 0, { maxEvents, maxAge: Number.POSITIVE_INFINITY })
}

function entry({ channel, head }: Shelf, order: number): Entry {
  return {
    kind: 'event',
    order,
    tag: 1,
    prev: head,
    channel,
    name: 'message',
    data: '1',
    sender: undefined,
  }
}

t.test(
  'a log that never reaches its memory limit takes no place for events that are gone',
  async (t) => {
    const arrivals = createArrivals()
    const busy = shelf('busy', 100)
    const quiet = shelf('quiet', 100)
    quiet.add(entry(quiet, 1))
    arrivals.push(quiet)
    for (let order = 2; order < 100_000; order++) {
      busy.add(entry(busy, order))
      busy.trim()
      arrivals.push(busy)
    }
    t.ok(arrivals.length < 10_000, `${arrivals.length} places for ${busy.held + quiet.held} events`)
    t.ok(arrivals.evict() > 0)
    t.equal(quiet.held, 0, 'the oldest of all is still known to be that')
  },
)

t.test('whatever channels let go of meanwhile, the oldest entry goes first', async (t) => {
  const random = seeded(5)
  const arrivals = createArrivals()
  const shelves = Array.from({ length: 5 }, (_, i) => shelf(`c${i}`, 8 * (i + 1)))
  const held = () => shelves.flatMap(({ entries }) => entries.map((each) => each.order))
  for (let order = 1; order < 30_000; order++) {
    const [one] = random.choose(shelves, 1)
    one!.add(entry(one!, order))
    one!.trim()
    arrivals.push(one!)
    if (random.next() < 0.001) random.choose(shelves, 1)[0]!.clear()
    if (random.next() < 0.001) random.choose(shelves, 1)[0]!.expire(order - 20)
    if (random.next() > 0.01) continue
    const before = held()
    // A place whose entry is gone gives nothing.
    while (arrivals.evict() === 0);
    const oldest = Math.min(...before)
    if (held().includes(oldest) || held().length !== before.length - 1) t.fail(`not ${oldest}`)
  }
  t.ok(arrivals.length < 10_000)
  while (arrivals.length > 0) arrivals.evict()
  t.equal(
    shelves.reduce((sum, { held }) => sum + held, 0),
    0,
    'every entry had its place',
  )
})
