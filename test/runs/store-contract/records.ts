import type { Promised } from '../store-contract.js'
import { begin, DONE, KEEP, LEASE, resume } from '../store-subject.js'

export function records(promised: Promised): void {
  promised('a run is what was said when it began, on any gateway', async (t, { one, other }) => {
    const by = { upstream: 'main', owner: 'alice', key: 'k' }
    const said = { id: 'a', format: 'anthropic', ...by } as const
    const begun = await one.begin(said, LEASE)
    const { started } = begun.run
    t.ok(Number.isInteger(started) && started > 1_600_000_000_000, 'ms since the epoch')
    const run = { ...said, state: 'running', started, ended: null, events: 0 }
    t.same(begun, { kind: 'begun', run, fence: 1 })
    t.same(await other.get('a'), run)
  })

  promised('what wasn’t said isn’t there', async (t, { one }) => {
    const { run } = await begin(one, 'a')
    t.same(Object.keys(run).toSorted(), ['ended', 'events', 'format', 'id', 'started', 'state'])
    t.same(await one.get('a'), run)
    await one.finish('a', 1, { state: 'done', events: 0, text: undefined }, KEEP)
    t.same(Object.keys((await one.get('a'))!), Object.keys(run))
  })

  promised('of many who begin the same run one does', async (t, { one, other }) => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => {
        const store = i % 2 === 0 ? one : other
        return store.begin({ id: 'a', format: 'plain', owner: `s${i}` }, LEASE)
      }),
    )
    const begun = answers.filter(({ kind }) => kind === 'begun')
    t.equal(begun.length, 1)
    for (const { run } of answers) t.same(run, begun[0]!.run)
  })

  promised('an ended run exists, too: nobody begins it again', async (t, { one, other }) => {
    await begin(one, 'a')
    await one.finish('a', 1, DONE, KEEP)
    const again = await other.begin({ id: 'a', format: 'anthropic' }, LEASE)
    t.match(again, { kind: 'exists', run: { state: 'done', format: 'plain', events: 3 } })
  })

  promised('a run that never was is unknown to every question', async (t, { one }) => {
    await begin(one, 'another')
    t.equal(await one.get('a'), undefined)
    t.equal(await one.requestStop('a'), undefined)
    t.equal(await one.touch('a', LEASE), undefined)
    t.equal(await one.finish('a', 1, DONE, KEEP), undefined)
    t.equal(await one.describe('a', 1, 'anthropic'), false)
    t.equal(await one.forget('a', 1), false)
    t.same(await one.resume('a', LEASE), { kind: 'unknown' })
    t.same(await one.renew([{ id: 'a', fence: 1, events: 0 }], LEASE), ['lost'])
    t.equal(await one.get('a'), undefined, 'nor does one come to be by that')
  })

  promised('the format that its events showed is written down', async (t, { one, other }) => {
    await begin(one, 'a')
    t.equal(await one.describe('a', 1, 'openai.chat'), true)
    t.match(await other.get('a'), { format: 'openai.chat' })
    await resume(other, 'a')
    t.equal(await one.describe('a', 1, 'anthropic'), false, 'by its producer alone')
    t.equal(await other.describe('a', 2, 'openai.responses'), true)
    await other.finish('a', 2, DONE, KEEP)
    t.equal(await other.describe('a', 2, 'anthropic'), false, 'and until it ends')
    t.match(await one.get('a'), { format: 'openai.responses' })
  })

  promised('a run is pending until somebody knows that there is one', async (t, s) => {
    const settle: Record<string, (id: string) => Promise<unknown>> = {
      described: (id) => s.other.describe(id, 1, 'plain'),
      resumed: (id) => s.other.resume(id, LEASE),
      'has events': (id) => s.other.renew([{ id, fence: 1, events: 1 }], LEASE),
      ended: (id) => s.other.finish(id, 1, DONE, KEEP),
    }
    for (const [i, [how, settled]] of Object.entries(settle).entries()) {
      const id = `r${i}`
      const begun = await s.one.begin({ id, format: 'plain', pending: true }, LEASE)
      t.match(begun, { run: { pending: true } }, how)
      await s.one.renew([{ id, fence: 1, events: 0 }], LEASE)
      t.match(await s.other.get(id), { pending: true })
      t.match(await s.other.begin({ id, format: 'plain' }, LEASE), { run: { pending: true } })
      await settled(id)
      t.notOk('pending' in (await s.one.get(id))!, how)
    }
  })

  promised('a run that never came to be leaves nothing, and its id is free', async (t, s) => {
    await s.one.begin({ id: 'a', format: 'anthropic', key: 'k', pending: true }, LEASE)
    await s.other.requestStop('a')
    t.equal(await s.one.forget('a', 1), true)
    t.equal(await s.other.get('a'), undefined)
    t.equal(await s.one.forget('a', 1), false)
    const { run, fence } = await begin(s.other, 'a')
    t.same([fence, run.key, run.pending, run.format], [1, undefined, undefined, 'plain'])
    await resume(s.one, 'a')
    t.equal(await s.other.forget('a', 1), false, 'not by one that has lost it')
    await s.one.finish('a', 2, DONE, KEEP)
    t.equal(await s.one.forget('a', 2), false, 'nor one that has ended')
    t.match(await s.other.get('a'), DONE)
  })

  promised('a later producer tells the format where none was known', async (t, { one }) => {
    await begin(one, 'a')
    t.match(await one.resume('a', LEASE, 'anthropic'), { run: { format: 'anthropic' } })
    t.match(await one.resume('a', LEASE, 'openai.chat'), { run: { format: 'anthropic' } })
    t.match(await one.resume('a', LEASE, 'plain'), { run: { format: 'anthropic' } })
  })

  promised('whatever characters it has comes back as it was', async (t, { one, other }) => {
    for (const [i, text] of ['', '\0\n\u001f"', 'ä\u{1f600}', '\ud800', 'null', '%s'].entries()) {
      const id = `r${i}`
      const begun = await one.begin({ id, format: 'plain', upstream: text, owner: text }, LEASE)
      t.match(begun, { run: { upstream: text, owner: text } })
      const end = { state: 'error', events: 1, text, error: { code: text, message: text } } as const
      await one.finish(id, 1, end, KEEP)
      t.match(await other.get(id), { ...end, upstream: text, owner: text })
    }
  })

  promised('runs of the longest and oddest ids are kept apart', async (t, { one }) => {
    const ids = ['a', 'A', 'a:b', 'a|b', 'a=~', 'rl', 'a'.repeat(149), 'a'.repeat(150)]
    for (const id of ids) await begin(one, id)
    for (const id of ids) t.match(await one.get(id), { id })
  })
}
