/** Channels of the application on a room's stream. */
import t from 'tap'
import { joinRoom, publish, type Room, type RoomEvents } from '../../../src/client/index.js'
import { start } from '../../routes/support/start.js'

const next = <Name extends keyof RoomEvents>(
  room: Room,
  name: Name,
  fits: (event: RoomEvents[Name]) => boolean = () => true,
) =>
  new Promise<RoomEvents[Name]>((resolve) => {
    const stop = room.on(name, (event) => {
      if (!fits(event)) return
      stop()
      resolve(event)
    })
  })

t.test('who is present on a channel of the application is told', async (t) => {
  const { url } = await start(t, { channels: [{ pattern: 'chat:*', presence: true }] })
  const about = { url, room: 'r', channels: ['chat:7'] }
  const ada = await joinRoom({ ...about, presence: { name: 'Ada' } })
  await next(ada, 'presence', ({ members }) => members.size === 1)
  const two = next(ada, 'presence', ({ members }) => members.size === 2)
  const bob = await joinRoom({ ...about, presence: { name: 'Bob' } })
  const { channel, members, change } = await two
  t.equal(channel, 'chat:7')
  t.match([...members.values()].map(({ data }) => data).sort(), [{ name: 'Ada' }, { name: 'Bob' }])
  t.match(change, { joined: [{ data: { name: 'Bob' } }] })
  const gone = next(ada, 'presence', ({ members }) => members.size === 1)
  await bob.channels({ remove: ['chat:7'] })
  t.match(await gone, { change: { left: [{ reason: 'left' }] } })
  await Promise.all([ada.leave(), bob.leave()])
})

t.test('channels come and go while a room lives', async (t) => {
  const { url } = await start(t)
  const room = await joinRoom({ url, room: 'r', channels: ['a'] })
  t.teardown(() => room.leave())
  await next(room, 'state', ({ state }) => state === 'live')
  const heard: unknown[] = []
  room.on('event', ({ channel, data }) => heard.push([channel, data]))
  t.strictSame(await room.channels({ add: ['b'] }), ['a', 'b'])
  const first = next(room, 'event')
  await publish({ url, channel: 'b', data: 1 })
  await first
  t.strictSame(await room.channels({ remove: ['b'], add: ['c'] }), ['a', 'c'])
  const second = next(room, 'event')
  await publish({ url, channel: 'b', data: 2 })
  await publish({ url, channel: 'c', data: 3 })
  await second
  t.strictSame(heard, [
    ['b', 1],
    ['c', 3],
  ])
  t.equal(room.state.state, 'live', 'a channel less is nobody’s end')
  const refused = await room.channels({ add: ['not a channel'] }).catch((error) => error)
  t.match(refused, { name: 'GatewayError', status: 400 })
})
