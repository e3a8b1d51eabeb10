/** The model behind `/tokens`, where the gateway it pushes to isn't well. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t from 'tap'
import { createStoryteller } from '../../src/site/storyteller.js'
import { until } from '../support/until.js'

t.test('a connection that breaks in mid-answer ends that answer, and nothing else', async (t) => {
  const taken: Socket[] = []
  let breaks = false
  const server = createServer((request, response) => {
    if (request.method === 'POST') response.end('{}')
    else if (breaks) request.socket.destroy()
    else taken.push(request.socket)
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const storyteller = createStoryteller(() => `http://127.0.0.1:${port}`)
  t.teardown(() => storyteller.stop())
  const tell = (n: number) => storyteller.tell(`demo:${n}`, 'Why do rivers wander?')
  // As many as it tells at one time: there is room for another only once one is over.
  const told = await Promise.all(Array.from({ length: 20 }, (_, n) => tell(n)))
  t.ok(told.every(Boolean))
  t.equal(await tell(20), false)
  breaks = true
  for (const socket of taken) socket.destroy()
  await until('room for another', () => tell(21))
})
