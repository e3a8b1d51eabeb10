/** A provider on this machine that speaks all formats, and counts what it was asked to generate. */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { RunEvent } from '../../../src/runs/format.js'
import type { RunFormat } from '../../../src/runs/run.js'
import type { Random } from '../../support/random.js'
import { generationOf, PATHS } from './formats.js'
import { chanceOf, tokensOf } from './text.js'

export interface Upstream {
  readonly url: string
  /** How often a generation of that name was begun. */
  asked(name: string): number
  /** Resolves once the connection of a generation is gone before it had ended. */
  abandoned(name: string): Promise<void>
  /** Generations that have fallen silent go on to their end. */
  release(): void
  stop(): Promise<void>
}

export interface UpstreamOptions {
  readonly seed: number
  /** How much of each generation is said before it falls silent, 0–1. Default 1: all, and its end. */
  readonly says?: number
}

/** Writes of one generation, and the longest pause between two in ms: half a second or so for all. */
const WRITES = 40
const PAUSE = 30

/** The name of what is generated is what a request calls `model`, or the chat’s id. */
export async function startUpstream({ seed, says = 1 }: UpstreamOptions): Promise<Upstream> {
  const asked = new Map<string, number>()
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const left = new Set<string>()
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const part of request.setEncoding('utf8')) text += part
    const { model, id } = JSON.parse(text) as { model?: string; id?: string }
    const name = String(model ?? id)
    const format = PATHS[request.url ?? '']
    if (format === undefined) return void response.writeHead(404).end()
    asked.set(name, (asked.get(name) ?? 0) + 1)
    response.on('close', () => {
      if (response.writableEnded) return
      left.add(name)
      told.emit('left')
    })
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      ...(format === 'ai-sdk' && { 'x-vercel-ai-ui-message-stream': 'v1' }),
    })
    const random = chanceOf(`${name} writes`, seed)
    const { said, rest } = halvesOf(format, tokensOf(name, seed), says)
    await write(response, written(said, random), random)
    if (rest.length > 0) {
      await released
      await write(response, written(rest, random), random)
    }
    response.end()
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    release,
    asked: (name) => asked.get(name) ?? 0,
    async abandoned(name) {
      while (!left.has(name)) await once(told, 'left')
    },
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** The events of a generation that are said before it falls silent, and after. */
export function halvesOf(format: RunFormat, tokens: readonly string[], says: number) {
  const events = generationOf(format, tokens)
  const half = Math.ceil(events.length * says)
  return { said: events.slice(0, half), rest: events.slice(half) }
}

/** In parts that are cut anywhere, also in the middle of a character. */
async function write(response: ServerResponse, bytes: Buffer, random: Random): Promise<void> {
  const cuts = Array.from({ length: WRITES - 1 }, () => random.between(0, bytes.length))
  let from = 0
  for (const to of [...cuts.sort((a, b) => a - b), bytes.length]) {
    if (response.destroyed) return
    response.write(bytes.subarray(from, to))
    from = to
    await pause(random.between(0, PAUSE))
  }
}

/** As one of the ways in which servers write events, with ids and comments of their own. */
function written(events: readonly RunEvent[], random: Random): Buffer {
  const [eol] = random.choose(['\n', '\n', '\r\n'], 1) as [string]
  const space = random.next() < 0.8 ? ' ' : ''
  const lines = events.flatMap(({ name, data }, i) => {
    const dice = random.next()
    // JSON may stand on several lines, each of them one of `data`.
    const json =
      dice < 0.05 && data.startsWith('{') ? JSON.stringify(JSON.parse(data), null, 1) : data
    return [
      ...(dice > 0.95 ? [': keep-alive', ''] : []),
      ...(dice > 0.9 ? [`id: ${i}`] : []),
      ...(name === 'message' ? [] : [`event:${space}${name}`]),
      ...json.split('\n').map((line) => `data:${space}${line}`),
      '',
    ]
  })
  return Buffer.from(lines.map((line) => line + eol).join(''))
}
