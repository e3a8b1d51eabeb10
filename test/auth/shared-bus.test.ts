/** When the bus asks for news. */
import { EventEmitter, once } from 'node:events'
import { Redis } from 'ioredis'
import t from 'tap'
import { createBus } from '../../src/auth/shared-bus.js'
import { createRedisLog } from '../../src/log/redis.js'
import { silentLogger } from '../../src/logger.js'
import { createRecorder, retentionFor } from '../log/subject.js'
import { startRedis } from '../support/redis.js'

t.test('what is told while a question is under way is asked for by one more', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  const log = createRedisLog({ url: server.url, retentionFor })
  await log.start(createRecorder())
  t.teardown(() => log.stop())

  const told = new EventEmitter()
  const answers: (() => void)[] = []
  let rounds = 0
  const bus = createBus({
    intake: log.intake,
    logger: silentLogger,
    sync: {
      reset() {},
      async round() {
        const answered = new Promise<void>((resolve) => answers.push(resolve))
        rounds++
        told.emit('round')
        // The first one belongs to the connection.
        if (rounds > 1) await answered
      },
    },
    lookEvery: 3_600_000,
    renewalTimeout: 300,
    renewed: () => told.emit('renewed'),
  })
  await bus.start(5000)
  t.teardown(() => bus.stop())
  const name = `${log.intake.base(0)}:z`
  /** Resolves when the bus has heard all that was told before. */
  async function tell(...messages: string[]): Promise<void> {
    const heard = once(told, 'renewed')
    for (const message of messages) await client.spublish(name, message)
    await client.spublish(name, '{"kind":"renewal","id":"x","session":"s","renewal":"r"}')
    await heard
  }

  const changed = '{"kind":"changed"}'
  await tell(changed, changed, changed)
  t.equal(rounds, 2, 'the one after the connection is not answered yet')
  const another = once(told, 'round')
  answers[1]!()
  await another
  await tell()
  t.equal(rounds, 3, 'one for three messages')
  answers[2]!()
  await tell()
  t.equal(rounds, 3)
  await tell(changed)
  t.equal(rounds, 4)
})
