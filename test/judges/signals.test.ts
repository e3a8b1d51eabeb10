/**
 * Twenty participants in five rooms send each other 20,000 signals over two gateways, while streams and
 * requests are cut at random bytes and gateways are killed: each signal arrives once, in its sender's
 * order, or its sender is told that it expired; and nobody else sees it.
 */
import t from 'tap'
import { startCutter } from '../support/cutter.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { seeded } from '../support/random.js'
import { startRedis } from '../support/redis.js'
import { createSignaller, type Sent, type Signaller } from './support/signaller.js'

const SEED = Number(process.env.TEST_SEED ?? 20261130)
const ROOMS = 5
const IN_A_ROOM = 4
const SIGNALS = 20_000
const KILLS = 4

t.test('20,000 signals', { timeout: 110_000 }, async (t) => {
  t.comment(`TEST_SEED=${SEED}`)
  const random = seeded(SEED)
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const env = { SLUICE_REDIS_URL: redis.url, SLUICE_PRESENCE_GRACE: '10s' }
  const gateways: GatewayProcess[] = [
    await startGatewayProcess(env),
    await startGatewayProcess(env),
  ]
  t.teardown(() => Promise.all(gateways.map((gateway) => gateway.kill('SIGKILL'))))
  // Half of the connections are cut, most of them while a stream is on its way.
  const lines = await Promise.all(
    gateways.map((_, i) =>
      startCutter({
        target: () => gateways[i]!.port,
        random,
        budget: (random) => (random.next() < 0.5 ? random.between(1, 60_000) : undefined),
      }),
    ),
  )
  t.teardown(() => Promise.all(lines.map((line) => line.stop())))
  const line = () => random.choose(lines, 1)[0]!.url

  const rooms = Array.from({ length: ROOMS }, (_, room) =>
    Array.from({ length: IN_A_ROOM }, (_, i) =>
      createSignaller({ room: `room-${room}`, name: `r${room}p${i}`, random, line }),
    ),
  )
  const all = rooms.flat()
  await Promise.all(all.map((it) => it.join()))

  // One of each room goes without a word when half is said.
  const vanishing = rooms.map((room) => room[IN_A_ROOM - 1]!)
  let sent = 0
  let kills = 0
  async function killOne(): Promise<void> {
    const which = kills++ % gateways.length
    const { port } = gateways[which]!
    await gateways[which]!.kill('SIGKILL')
    gateways[which] = await startGatewayProcess({ ...env, SLUICE_PORT: `${port}` })
  }
  const killing: Promise<void>[] = []
  async function talk(self: Signaller, room: readonly Signaller[]): Promise<void> {
    const others = room.filter((it) => it !== self)
    while (sent < SIGNALS) {
      if (vanishing.includes(self) && sent > SIGNALS / 2) {
        self.vanish()
        return
      }
      const count = random.between(1, 20)
      sent += count
      await self.send(Array.from({ length: count }, () => random.choose(others, 1)[0]!.name))
      if (random.next() < 0.02) self.cut()
      // Never both at once: whoever is asked meanwhile answers.
      if (kills < KILLS && sent > (SIGNALS / (KILLS + 1)) * (kills + 1)) killing.push(killOne())
    }
  }
  await Promise.all(rooms.flatMap((room) => room.map((self) => talk(self, room))))
  await Promise.all(killing)
  for (const each of lines) each.heal()

  const signals = all.flatMap((it) => it.sent)
  const of = new Map(all.map((it) => [it.name, it]))
  const lasting = (name: string) => !vanishing.some((it) => it.name === name)
  /** Whether a signal has come to its end, as far as anybody who is still there can know. */
  function settled({ messageId, from, to, status }: Sent): boolean {
    if (status === undefined) return !lasting(from)
    if (status === 'gone' || status === 'stale') return true
    if (of.get(to)!.got.some((it) => it.messageId === messageId)) return true
    return of.get(from)!.expired.has(messageId) || !lasting(from)
  }
  const open = new Set(signals)
  await Promise.all(
    all
      .filter(({ name }) => lasting(name))
      .map((it) =>
        it.until(() => {
          for (const signal of open) {
            if ((signal.from === it.name || signal.to === it.name) && settled(signal))
              open.delete(signal)
          }
          return ![...open].some(
            ({ from, to }) => from === it.name || (to === it.name && lasting(from)),
          )
        }),
      ),
  )

  t.same(
    signals.filter((signal) => !settled(signal)).slice(0, 5),
    [],
    'each signal arrived, or its sender was told',
  )
  t.same(
    signals
      .filter(
        ({ to, status }) => lasting(to) && status !== undefined && !/delivered|queued/.test(status),
      )
      .slice(0, 5),
    [],
    'whoever stays is always in',
  )
  t.same(all.flatMap(strangers).slice(0, 5), [], 'nobody saw what was for somebody else')
  t.same(all.flatMap(disorder).slice(0, 5), [], 'each sender’s signals came once and in its order')
  t.equal(kills, KILLS)
  const cuts = lines.reduce((sum, each) => sum + each.cuts, 0)
  t.ok(cuts > 50, 'cuts came to pass')
  const told = all.reduce((sum, it) => sum + it.expired.size, 0)
  t.ok(told > 0, 'some were told to have expired')
  t.comment(`${signals.length} signals, ${cuts} cuts, ${kills} kills, ${told} expired`)
  for (const it of all) it.vanish()
})

/** What somebody was told that wasn't for them. */
function strangers({ name, got }: Signaller) {
  return got.filter(({ to }) => to !== name)
}

/** Of each sender the numbers, doubles by id removed, that came out of order or twice. */
function disorder({ name, got }: Signaller): string[] {
  const ids = new Set<string>()
  const last = new Map<string, number>()
  const wrong: string[] = []
  for (const { id, messageId, from } of got) {
    if (ids.has(id)) continue
    ids.add(id)
    const number = Number(messageId.split('.')[1])
    if (number <= (last.get(from) ?? 0)) wrong.push(`${messageId} to ${name}`)
    last.set(from, number)
  }
  return wrong
}
