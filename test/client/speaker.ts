/** A server that says what a test tells it to, and a clock that stands still until it is moved. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { State } from '../../src/client/index.js'

export type Answer = (req: IncomingMessage, res: ServerResponse) => void

/** Answers the first request with the first answer, and so on; the last one also answers the rest. */
export async function speaker(t: Test, answers: readonly Answer[]) {
  const requests: IncomingMessage[] = []
  const server = createServer((req, res) => {
    const answer = answers[requests.length] ?? answers.at(-1)
    requests.push(req)
    answer?.(req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** A stream with these bytes; `ended`: the connection then ends, else it stays open. */
export function stream(body: string | Uint8Array, how: 'ended' | 'open' = 'ended'): Answer {
  return (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    res.write(body)
    if (how === 'ended') res.end()
  }
}

export function status(code: number, headers: Record<string, string> = {}, body = ''): Answer {
  return (_req, res) => {
    res.writeHead(code, headers).end(body)
  }
}

export const gone = status(204)

export function problem(code: number, name: string, retryable = false): Answer {
  const body = {
    type: `urn:sluice:error:${name}`,
    title: 'No',
    status: code,
    code: name,
    retryable,
  }
  const text = JSON.stringify({ ...body, detail: 'Do it otherwise.' })
  return status(code, { 'content-type': 'application/problem+json' }, text)
}

/** An SSE block; `data` as JSON. */
export function block(name: string, data: unknown, id?: string): string {
  const event = name === 'message' ? '' : `event: ${name}\n`
  return `${id === undefined ? '' : `id: ${id}\n`}${event}data: ${JSON.stringify(data)}\n\n`
}

export function event(id: string, data: unknown, channel = 'c', name = 'message'): string {
  return block(name, { id, channel, data, time: 1 }, id)
}

export function ready(cursor: string, heartbeat = 15_000): string {
  const data = { session: 's', cursor, resumed: true, heartbeat, channels: ['c'] }
  return `retry: 0\n${block('stream.ready', data, cursor)}`
}

/** Time that a test owns. Waits between connections pass by themselves; `waits` keeps them. */
export function createClock() {
  const tasks = new Set<{ at: number; run: () => void }>()
  const waits: number[] = []
  const states: State[] = []
  let now = 0
  const clock = {
    waits,
    states,
    timer: (ms: number, run: () => void) => {
      const task = { at: now + ms, run }
      tasks.add(task)
      return () => tasks.delete(task)
    },
    advance(ms: number) {
      now += ms
      for (const task of [...tasks]) {
        if (task.at > now) continue
        tasks.delete(task)
        task.run()
      }
    },
    onState(state: State) {
      states.push(state)
      if (state.state !== 'waiting') return
      waits.push(state.ms)
      // The wait itself begins when this callback has returned.
      queueMicrotask(() => clock.advance(state.ms))
    },
    random: () => 0,
  }
  return clock
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
