import type { Promised } from '../contract.js'
import { applied, create, fieldsOf, LEASE, NAME } from '../subject.js'

export function changing(promised: Promised): void {
  promised('there is none to begin with', async (t, { one }) => {
    const document = await one.read(NAME)
    t.equal(document.version, 0)
    t.same(fieldsOf(document), {})
    t.equal(document.away.size, 0)
  })

  promised('what one gateway changed the other reads', async (t, { one, other }) => {
    const { version } = await create(one)
    const odd = { '': 'empty', 'a b': '\u001f\u001e\r\n', ü: '💬', v: '1', n: '2' }
    const changed = applied(await other.change(NAME, { version, set: odd }))
    const document = await one.read(NAME)
    t.same(fieldsOf(document), { topic: '"a"', ...odd })
    t.equal(document.version, changed.version)
    t.not(changed.version, version)
  })

  promised('a field is replaced, and removed by null', async (t, { one }) => {
    const { version } = await create(one)
    const set = { topic: '"b"', more: '1' }
    const second = applied(await one.change(NAME, { version, set }))
    t.same(fieldsOf(await one.read(NAME)), set)
    await one.change(NAME, { version: second.version, set: { more: null, none: null } })
    t.same(fieldsOf(await one.read(NAME)), { topic: '"b"' })
  })

  promised('a change of an older state is a conflict, and changes nothing', async (t, s) => {
    const { version } = await create(s.one)
    await s.other.change(NAME, { version, set: { topic: '"b"' } })
    for (const stale of [version, 0, 1]) {
      t.same(await s.one.change(NAME, { version: stale, set: { topic: '"c"' } }), {
        kind: 'conflict',
      })
    }
    t.same(fieldsOf(await s.one.read(NAME)), { topic: '"b"' })
  })

  promised('a version is never that of a second state', async (t, { one, other }) => {
    const versions = new Set<number>()
    for (let i = 0; i < 20; i++) {
      const { version } = await create(i % 2 === 0 ? one : other)
      versions.add(version)
      t.match(await other.change(NAME, { version, set: { topic: null } }), { version: 0 })
    }
    t.equal(versions.size, 20)
  })

  promised('without fields it is none, and can begin anew', async (t, { one }) => {
    const { version } = await create(one, { m: LEASE })
    await one.change(NAME, { version, set: { topic: null }, leases: [{ member: 'm', ms: LEASE }] })
    t.equal((await one.read(NAME)).version, 0)
    t.same(await one.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['lost'])
    await create(one)
    t.same(await one.renew([{ name: NAME, member: 'm', ms: LEASE }]), ['lost'])
  })

  promised(
    'a change without fields keeps the version, but for the right one only',
    async (t, s) => {
      const { version } = await create(s.one)
      const draft = { channel: NAME, name: 'said', data: '1' }
      t.match(await s.one.change(NAME, { version, drafts: [draft] }), { version })
      t.match(await s.one.change(NAME, { version: 1, drafts: [draft] }), { kind: 'conflict' })
      t.equal((await s.log.info(NAME))!.events, 1)
    },
  )

  promised('the next change can be sent before this one is answered', async (t, { one }) => {
    const { version } = await create(one)
    const chain = [version, 11, 12, 13]
    const answers = await Promise.all(
      chain
        .slice(1)
        .map((becomes, i) =>
          one.change(NAME, { version: chain[i]!, becomes, set: { topic: String(becomes) } }),
        ),
    )
    t.match(answers, [{ version: 11 }, { version: 12 }, { version: 13 }])
    t.same(fieldsOf(await one.read(NAME)), { topic: '13' })
  })

  promised('and fails where this one fails', async (t, { one }) => {
    const { version } = await create(one)
    const answers = await Promise.all([
      one.change(NAME, { version: 1, becomes: 11, set: { topic: '1' } }),
      one.change(NAME, { version: 11, becomes: 12, set: { topic: '2' } }),
      one.change(NAME, { version, becomes: 13, set: { topic: '3' } }),
    ])
    t.match(answers, [{ kind: 'conflict' }, { kind: 'conflict' }, { version: 13 }])
    t.same(fieldsOf(await one.read(NAME)), { topic: '3' })
  })

  promised('of many changes of one state one is made', async (t, { one, other }) => {
    const { version } = await create(one)
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 === 0 ? one : other).change(NAME, { version, set: { [`f${i}`]: '1' } }),
      ),
    )
    t.equal(answers.filter(({ kind }) => kind === 'changed').length, 1)
    t.equal((await one.read(NAME)).fields.size, 2)
  })

  promised('documents are apart', async (t, { one }) => {
    await create(one, { m: LEASE }, 'room:a')
    await create(one, {}, 'room:b')
    t.same(await one.renew([{ name: 'room:b', member: 'm', ms: LEASE }]), ['lost'])
    t.equal((await one.read('presence:room:a')).version, 0)
  })
}
