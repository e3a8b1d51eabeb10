/** What HTTP allows and Node has an answer of its own to: it gets one of the gateway's, or none. */
import t from 'tap'
import { connect, say } from '../routes/support/socket.js'
import { start } from '../routes/support/start.js'

t.test('an expectation that nobody knows is ignored', async (t) => {
  const { url } = await start(t)
  for (const expectation of ['weird', '200-ok', '']) {
    const head = `GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: ${expectation}\r\n`
    t.match(await say(url, `${head}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /, expectation)
  }
  const post = 'POST /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
  const body =
    'Content-Type: application/json\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n1'
  const answers = await say(url, post + body)
  t.match(
    answers,
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /,
    'the one that is known is not',
  )
})

t.test('a client that pipelines many polls isn’t taken for a leak', async (t) => {
  const { url } = await start(t)
  const warnings: string[] = []
  const onWarning = ({ name }: Error) => void warnings.push(name)
  process.on('warning', onWarning)
  t.teardown(() => process.removeListener('warning', onWarning))
  const wire = await connect(url)
  const poll =
    'GET /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n'
  wire.write(poll.repeat(30))
  // Asked behind them, it is handled beside them.
  const publish =
    'POST /v1/events?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n'
  wire.write(`${publish}Content-Length: 1\r\n\r\n1`)
  await wire.until(/HTTP\/1\.1 201 /)
  t.equal(wire.text.match(/HTTP\/1\.1 200 /g)?.length, 30)
  t.same(warnings, [])
  wire.destroy()
})
