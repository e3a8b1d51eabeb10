/** Runs while they change hands, and while the log is away. */
import t from 'tap'
import { until } from '../support/until.js'
import {
  awayOnce,
  begin,
  DONE,
  dataOf,
  FEW,
  onBothStores,
  relaying,
  resume,
  stopRedis,
  token,
} from './support/world.js'

t.teardown(stopRedis)

onBothStores(t, 'a run that never came to be is none until it is gone', async (t, { one }) => {
  const producer = await begin(one, 'r', { pending: true })
  let looks = 0
  one.around = async () => {
    t.match(await one.runs.get('r'), { state: 'running', pending: true })
    t.match(await one.runs.begin({ id: 'r', format: 'plain' }), { kind: 'exists' })
    looks++
  }
  await Promise.all([producer.discard(), producer.discard()])
  one.around = () => {}
  t.equal(looks, 6, 'three steps, once')
  t.equal(await one.runs.get('r'), undefined)
  await (await begin(one, 'r')).append([token('a')])
  await producer.discard()
  t.equal((await dataOf(one, 'r')).length, 1, 'the next of its name loses nothing by it')
})

onBothStores(t, 'a run has come to be once its events are expected', async (t, { one, other }) => {
  const producer = await begin(one, 'r', { pending: true })
  producer.expect(undefined)
  await until('told', async () => (await other.runs.get('r'))?.pending === undefined)
  t.match(await other.runs.get('r'), { state: 'running', format: 'plain' })
})

onBothStores(
  t,
  'who is refused an event has nothing left of its run',
  async (t, { one, other }) => {
    const relay = relaying(one, await begin(one, 'r'))
    relay.say(token('a'))
    await until('there', async () => (await dataOf(one, 'r')).length === 1)
    await (await resume(other, 'r')).finish({ as: 'aborted' })
    relay.say(token('b'))
    await relay.over
    t.equal(one.runs.producing, 0)
  },
)

onBothStores(
  t,
  'who hears that it has lost its run has nothing left of it',
  async (t, { one, other }) => {
    const relay = relaying(one, await begin(one, 'r'))
    relay.say(token('a'))
    await until('there', async () => (await dataOf(one, 'r')).length === 1)
    await (await resume(other, 'r')).finish({ as: 'aborted' })
    await relay.over
    t.equal(one.runs.producing, 0)
    t.equal(other.runs.producing, 0)
  },
  { leaseMs: 300 },
)

for (const at of ['before', 'after'] as const) {
  for (const [format, events, text] of [
    ['plain', [{ name: 'message', data: 'a' }], undefined],
    ['openai.chat', [token('a'), DONE], 'a'],
  ] as const) {
    onBothStores(
      t,
      `a whole generation of ${format} is done, though the log is away as it ends, ${at} it has heard`,
      async (t, { one, other }) => {
        awayOnce(one, 'close', at)
        const relay = relaying(one, await begin(one, 'r', { format }))
        relay.say(...events)
        relay.end()
        await relay.over
        t.match(await other.runs.get('r'), { state: 'done', format, text, events: events.length })
        t.equal((await dataOf(other, 'r')).length, events.length)
        t.equal(one.runs.producing, 0)
      },
    )
  }

  onBothStores(
    t,
    `a text is whole though its channel keeps less and the log was away ${at} an append`,
    async (t, { one, other }) => {
      const relay = relaying(one, await begin(one, 'few'))
      const words = Array.from({ length: 3 * FEW }, (_, i) => ` ${i}`)
      awayOnce(one, 'append', at, 2 * FEW)
      for (const [i, word] of words.entries()) {
        relay.say(token(word))
        const last = async () => JSON.stringify((await dataOf(other, 'few')).at(-1)).includes(word)
        await until(`${i} there`, last)
      }
      relay.say(DONE)
      relay.end()
      await relay.over
      const run = await other.runs.get('few')
      t.match(run, { state: 'done', text: words.join(''), events: words.length + 1 })
      const kept = await dataOf(other, 'few')
      t.equal(new Set(kept).size, kept.length, 'nothing twice')
    },
  )
}

onBothStores(
  t,
  'who takes a run over without its beginning makes up no text of the rest',
  async (t, { one, other }) => {
    const first = await begin(one, 'few')
    // Redis trims by the hundred.
    const many = Array.from({ length: 40 * FEW }, (_, i) => token(` ${i}`))
    for (let i = 0; i < many.length; i += 100) await first.append(many.slice(i, i + 100))
    await one.store.renew([first], 60_000)
    const next = await resume(other, 'few')
    await next.append([token(' and more'), DONE])
    t.match(await next.finish({ as: 'said' }), { state: 'done', events: many.length + 2 })
    const run = await one.runs.get('few')
    t.match(run, { state: 'done', format: 'openai.chat' })
    t.same([run?.text, run?.usage], [undefined, undefined])
  },
)

onBothStores(t, 'who takes over a run that is whole knows its text', async (t, { one, other }) => {
  const first = await begin(one, 'r')
  await first.append([token('a'), token('b')])
  await one.store.renew([first], 60_000)
  const next = await resume(other, 'r')
  await next.append([token('c'), DONE])
  t.match(await next.finish({ as: 'said' }), { state: 'done', text: 'abc', events: 4 })
})
