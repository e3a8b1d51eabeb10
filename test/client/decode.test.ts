/** What the client makes of blocks. */
import t from 'tap'
import { createDecoder } from '../../src/client/decode.js'

t.test('no event steers the stream, whatever it is called', async (t) => {
  const { feed } = createDecoder()
  const say = (name: string, data: object) =>
    feed(Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`))
  const envelope = { id: '1763675123456-4096', channel: 'run:r', data: { reason: 'x' }, time: 1 }
  t.match(say('stream.bye', envelope), [{ type: 'event', name: 'stream.bye', channel: 'run:r' }])
  const bye = { reason: 'draining', reconnect: true, retry: 5 }
  t.match(say('stream.bye', bye), [{ type: 'bye', retry: 5 }])
})
