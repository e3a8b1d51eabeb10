/** Chance against a naive model: lists in memory that forget nothing but what is deleted. */
import { randomInt } from 'node:crypto'
import type { Test } from 'tap'
import type { Draft } from '../../../src/log/log.js'
import { type Random, seeded } from '../../support/random.js'
import type { Promised } from '../contract.js'
import { readAll, type Subject } from '../subject.js'

interface Kept {
  readonly order: number
  readonly prev: number
  readonly what: string
}

interface Modelled {
  kept: Kept[]
  head: number
  deleted: number
  closed: number | undefined
  fence: number
}

const CHANNELS = ['a', 'b', 'c', 'd']
const STEPS = 250

export function model(promised: Promised): void {
  for (let round = 0; round < 3; round++) {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
    promised(`any row of calls does what the model does (SEED=${seed})`, (t, subject) =>
      run(t, subject, seeded(seed)),
    )
  }
}

async function run(t: Test, { log, heard }: Subject, random: Random): Promise<void> {
  const channels = new Map<string, Modelled>()
  const keys = new Map<string, { data: string; order: number }>()
  const told = new Map<string, number[]>(CHANNELS.map((channel) => [channel, []]))
  const positions = [log.position(0).order]
  let count = 0

  const of = (channel: string): Modelled => {
    let found = channels.get(channel)
    if (found === undefined) {
      found = { kept: [], head: 0, deleted: 0, closed: undefined, fence: 0 }
      channels.set(channel, found)
    }
    return found
  }
  /** Mostly none; else a producer before, the same, or the next. */
  const someFence = (channel: string) =>
    random.next() < 0.15 ? Math.max(1, of(channel).fence + random.between(-1, 1)) : undefined
  const any = () => random.choose(CHANNELS, 1)[0]!
  const place = (channel: string, order: number, what: string) => {
    const modelled = of(channel)
    modelled.kept.push({ order, prev: modelled.head, what })
    modelled.head = order
    told.get(channel)!.push(order)
    positions.push(order)
  }

  async function append(): Promise<void> {
    const group: Draft[] = Array.from({ length: random.between(1, 5) }, () => {
      const keyed = random.next() < 0.3 ? `k${random.between(0, 9)}` : undefined
      const data = keyed === undefined ? String(count++) : String(random.between(0, 1))
      const channel = any()
      return { channel, name: 'message', data, key: keyed, fence: someFence(channel) }
    })
    const raised = new Map<string, number>()
    const seen = new Map<string, string>()
    let refusal: string | undefined
    for (const { channel, data, key, fence } of group) {
      if (fence !== undefined) {
        if (fence < (raised.get(channel) ?? of(channel).fence)) refusal ??= 'fenced'
        else raised.set(channel, fence)
      }
      const name = `${channel} ${key}`
      const known = key === undefined ? undefined : (seen.get(name) ?? keys.get(name)?.data)
      if (known !== undefined && known !== data) refusal ??= 'key_conflict'
      if (known === undefined && of(channel).closed !== undefined) refusal ??= 'channel_closed'
      if (key !== undefined && known === undefined) seen.set(name, data)
    }
    if (refusal !== undefined) {
      await t.rejects(log.append(group), { code: refusal })
      return
    }
    for (const [channel, fence] of raised) of(channel).fence = fence
    const receipts = await log.append(group)
    for (const [i, { channel, data, key }] of group.entries()) {
      const { position, duplicate } = receipts[i]!
      const name = `${channel} ${key}`
      const known = key === undefined ? undefined : keys.get(name)
      t.equal(duplicate, known !== undefined)
      if (known !== undefined) t.equal(position!.order, known.order)
      else {
        if (key !== undefined) keys.set(name, { data, order: position!.order })
        place(channel, position!.order, data)
      }
    }
  }

  async function close(): Promise<void> {
    const channel = any()
    const modelled = of(channel)
    const fence = someFence(channel)
    if (fence !== undefined && fence < modelled.fence) {
      await t.rejects(log.close(channel, null, fence), { code: 'fenced' })
      return
    }
    modelled.fence = fence ?? modelled.fence
    const end = await log.close(channel, null, fence)
    if (modelled.closed !== undefined) {
      t.equal(end.order, modelled.closed)
      return
    }
    t.equal(end.prev, modelled.head)
    place(channel, end.order, 'end')
    modelled.closed = end.order
  }

  async function takeOver(): Promise<void> {
    const channel = any()
    const fence = Math.max(1, of(channel).fence + random.between(-1, 1))
    if (fence < of(channel).fence) await t.rejects(log.fence(channel, fence), { code: 'fenced' })
    else await log.fence(channel, fence)
    of(channel).fence = Math.max(of(channel).fence, fence)
  }

  async function remove(): Promise<void> {
    const channel = any()
    const modelled = of(channel)
    const there = modelled.kept.length > 0
    t.equal(await log.delete(channel), there)
    if (there) modelled.deleted = modelled.head
    modelled.kept = []
    modelled.closed = undefined
  }

  async function read(): Promise<void> {
    const channel = any()
    const { kept, deleted, closed } = of(channel)
    const after = random.choose(positions, 1)[0]!
    const answer = await readAll(log, channel, after, random.between(1, 20))
    t.same(
      answer.entries.map(({ order, prev, ...entry }) => ({
        order,
        prev,
        what: entry.kind === 'event' ? entry.data : 'end',
      })),
      kept.filter(({ order }) => order > after),
    )
    const gap = deleted > after ? [{ reason: 'deleted', floor: { order: deleted } }] : []
    t.equal(answer.gaps.length, gap.length)
    t.match(answer.gaps, gap)
    t.equal(answer.closed?.position.order, closed)
  }

  async function seek(): Promise<void> {
    const channel = any()
    const { kept } = of(channel)
    const wanted = random.between(1, 8)
    const { starts } = await log.seek(0, [channel], { from: 'count', count: wanted })
    const events = kept.filter(({ what }) => what !== 'end')
    const { entries, gaps } = await readAll(log, channel, starts[0]!)
    const first = events.at(-wanted) ?? events[0] ?? kept[0]
    t.same(
      entries.map(({ order }) => order),
      kept.filter(({ order }) => first !== undefined && order >= first.order).map((k) => k.order),
    )
    t.same(gaps, [])
  }

  for (const channel of CHANNELS) await log.follow(channel)
  for (let step = 0; step < STEPS; step++) {
    const chance = random.next()
    if (chance < 0.5) await append()
    else if (chance < 0.55) await close()
    else if (chance < 0.63) await remove()
    else if (chance < 0.65) await takeOver()
    else if (chance < 0.85) await read()
    else await seek()
  }
  const total = [...told.values()].reduce((sum, orders) => sum + orders.length, 0)
  await heard.until(() => heard.entries.length >= total)
  for (const channel of CHANNELS) {
    t.same(
      heard.entriesOf(channel).map(({ order }) => order),
      told.get(channel),
    )
  }
  t.same(heard.holes, [])
}
