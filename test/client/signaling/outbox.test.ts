import t from 'tap'
import { GatewayError } from '../../../src/client/gateway.js'
import { createOutbox, type OutgoingSignal } from '../../../src/client/signaling/outbox.js'
import type { SignalItem, SignalResult } from '../../../src/client/signaling/resources.js'
import type { Problem } from '../../../src/wire/errors.js'

type Answer = { readonly results: readonly SignalResult[] }

/** An outbox whose requests wait for the test to answer them, and whose clock stands still. */
function stage() {
  const requests: {
    readonly items: readonly SignalItem[]
    readonly answer: () => void
    readonly fail: (error: Error) => void
  }[] = []
  const results: SignalResult[] = []
  const refused: OutgoingSignal[] = []
  const told: (() => void)[] = []
  const waits = new Set<() => void>()
  const outbox = createOutbox({
    post: (items, abort) =>
      new Promise<Answer>((resolve, reject) => {
        const all = items.map(({ messageId }) => ({
          messageId,
          status: 'delivered' as const,
          duplicate: false,
        }))
        requests.push({ items, answer: () => resolve({ results: all }), fail: reject })
        abort.addEventListener('abort', () => reject(new Error('aborted')))
        for (const tell of told.splice(0)) tell()
      }),
    onResult: (_signal, result) => results.push(result),
    onRefused: (signals) => refused.push(...signals),
    timer(_ms, task) {
      waits.add(task)
      return () => waits.delete(task)
    },
    random: () => 0,
  })
  return {
    outbox,
    requests,
    results,
    refused,
    say: (n: number, type = 'x-n', to = 'bob') =>
      outbox.send({ to, toIncarnation: `${to}1`, type, data: { n } }),
    /** The request of that number, from 0 on, once there is one. */
    async request(n: number) {
      while (requests.length <= n) await new Promise<void>((resolve) => told.push(resolve))
      return requests[n]!
    },
    /** All that waits for a moment has its moment. */
    async pass() {
      await new Promise((resolve) => setImmediate(resolve))
      for (const task of [...waits]) task()
    },
  }
}

const numbers = (items: readonly SignalItem[]) => items.map(({ data }) => (data as { n: number }).n)

t.test('one request at a time; what is sent meanwhile goes with the next', async (t) => {
  const { say, request, requests } = stage()
  say(1)
  say(2)
  const first = await request(0)
  t.strictSame(numbers(first.items), [1, 2])
  say(3)
  say(4)
  t.equal(requests.length, 1)
  first.answer()
  const second = await request(1)
  t.strictSame(numbers(second.items), [3, 4])
  t.strictSame(
    [...first.items, ...second.items].map(({ seq }) => seq),
    [1, 2, 3, 4],
  )
})

t.test('a request that fails is repeated, the very same, before anything else', async (t) => {
  const { say, request, pass, results } = stage()
  say(1)
  const first = await request(0)
  say(2)
  first.fail(new TypeError('fetch failed'))
  await pass()
  const second = await request(1)
  t.strictSame(second.items, first.items)
  second.fail(new GatewayError(503, 'busy'))
  await pass()
  const third = await request(2)
  t.strictSame(third.items, first.items)
  third.answer()
  t.strictSame(numbers((await request(3)).items), [2])
  t.equal(results.length, 1)
})

t.test('a request that isn’t answered is given up and repeated', async (t) => {
  const { say, request, pass } = stage()
  say(1)
  const first = await request(0)
  await pass()
  await pass()
  t.strictSame((await request(1)).items, first.items)
})

t.test('numbers go on where the gateway says', async (t) => {
  const { say, request } = stage()
  say(1)
  const first = await request(0)
  const problem = { code: 'signal_out_of_order', expected: 41 } as unknown as Problem
  first.fail(new GatewayError(409, 'out of order', problem))
  const second = await request(1)
  t.equal(second.items[0]!.seq, 41)
  t.equal(second.items[0]!.messageId, first.items[0]!.messageId)
  second.answer()
  say(2)
  t.equal((await request(2)).items[0]!.seq, 42)
})

t.test('candidates that wait for the same peer become one signal', async (t) => {
  const { outbox, say, request } = stage()
  const trickle = (to: string, candidate: string, ufrag = 'u') =>
    outbox.send({
      to,
      toIncarnation: `${to}1`,
      type: 'candidates',
      data: { candidates: [{ candidate }], connection: 'c', ufrag },
    })
  say(0, 'offer')
  trickle('bob', 'a')
  trickle('carol', 'b')
  trickle('bob', 'c')
  trickle('bob', 'd', 'v')
  const { items } = await request(0)
  t.strictSame(
    items.map(({ to, data }) => {
      const { candidates = [] } = data as { candidates?: { candidate: string }[] }
      return [to, ...candidates.map(({ candidate }) => candidate)]
    }),
    [['bob'], ['bob', 'a', 'c'], ['carol', 'b'], ['bob', 'd']],
  )
})

t.test('one wrong signal doesn’t take its neighbours with it', async (t) => {
  const { say, request, refused } = stage()
  for (const n of [1, 2, 3]) say(n)
  const wrong = new GatewayError(400, 'not a signal')
  ;(await request(0)).fail(wrong)
  ;(await request(1)).answer()
  ;(await request(2)).fail(wrong)
  const last = await request(3)
  t.strictSame(numbers(last.items), [3])
  t.equal(last.items[0]!.seq, 2, 'what was refused has no number')
  t.strictSame(
    refused.map(({ data }) => data),
    [{ n: 2 }],
  )
})

t.test('what waits for a connection that is no more is forgotten, the rest is not', async (t) => {
  const { outbox, say, request } = stage()
  say(1)
  const first = await request(0)
  say(2, 'offer')
  say(3, 'bye')
  say(4, 'offer', 'carol')
  say(5)
  outbox.forget('bob')
  first.answer()
  t.strictSame(numbers((await request(1)).items), [3, 4, 5])
})

t.test('after joining anew nothing of before is sent, and numbers begin again', async (t) => {
  const { outbox, say, request } = stage()
  say(1)
  await request(0)
  say(2)
  outbox.restart()
  say(3)
  const { items } = await request(1)
  t.strictSame(numbers(items), [3])
  t.equal(items[0]!.seq, 1)
})
