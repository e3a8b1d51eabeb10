/** What the hub tells the log of its work. */
import t from 'tap'
import { settled, stage } from './stage.js'

t.test('a log that asks hears how many sockets the latest deliveries went to', async (t) => {
  const { hub, open, publish } = await stage(t)
  t.equal(hub.listener.fanOut, 0)
  for (let i = 0; i < 3; i++) await open(['a'])
  await open(['b'])
  await publish('a', 1)
  await settled()
  t.equal(hub.listener.fanOut, 3)
  void publish('a', 2)
  void publish('b', 3)
  await settled()
  t.equal(hub.listener.fanOut, 4)
  await publish('b', 4)
  await settled()
  t.equal(hub.listener.fanOut, 1)
})
