// A history of events on @fastify/sse: POST /pub/c stores one, GET /old/c replays all of them.
// The replay is the loop that the plugin's own README shows; a Readable or a generator is slower.
import fastifySse from '@fastify/sse'
import Fastify from 'fastify'

const history = []
const app = Fastify()
await app.register(fastifySse)

app.post('/pub/:channel', (request, reply) => {
  history.push({ id: String(history.length + 1), data: request.body })
  reply.code(204).send()
})

app.get('/old/:channel', { sse: 'only' }, async (_request, reply) => {
  const from = Number(reply.sse.lastEventId) || 0
  reply.sse.keepAlive()
  for (const message of history.slice(from)) await reply.sse.send(message)
})

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 4096 })
