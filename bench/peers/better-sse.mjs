// A history of events on better-sse: POST /pub/c stores one, GET /old/c replays all of them.
// The library keeps no history, so the array is ours; `batch` is its own way to send many events
// with one write, and the fastest of those it has (`push` and `iterate` write event by event).
import { createServer } from 'node:http'
import { createSession } from 'better-sse'

const history = []

const server = createServer(async (request, response) => {
  if (request.method === 'POST') {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    history.push({ id: String(history.length + 1), data: text })
    response.writeHead(204).end()
    return
  }
  const session = await createSession(request, response)
  const from = Number(session.lastId) || 0
  await session.batch((buffer) => {
    for (const { id, data } of history.slice(from)) buffer.push(data, 'message', id)
  })
})

server.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 4096 })
