import type { Promised } from '../shared-contract.js'

export function renewals(promised: Promised): void {
  promised('a renewal is told everywhere, and whoever has the session says so', async (t, s) => {
    s.other.heard.streams.add('session')
    const renewal = '{"expires":1,"who":"ä\\n"}'
    t.equal(await s.one.shared.renew('session', renewal), true)
    t.equal(await s.other.shared.renew('session', 'again'), true)
    for (const { heard } of [s.one, s.other]) {
      await heard.until(() => heard.renewals.length === 2)
      t.same(heard.renewals, [
        { session: 'session', renewal },
        { session: 'session', renewal: 'again' },
      ])
    }
  })

  promised('where nobody has the session the answer is no', async (t, s) => {
    s.one.heard.streams.add('another')
    t.equal(await s.one.shared.renew('session', 'x'), false)
  })

  promised('many at once get each their own answer', async (t, s) => {
    for (let i = 0; i < 50; i += 2) s.other.heard.streams.add(`s${i}`)
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => s.one.shared.renew(`s${i}`, 'x')),
    )
    t.same(
      answers,
      Array.from({ length: 50 }, (_, i) => i % 2 === 0),
    )
  })
}
