/** One connection's stream, block by block, without any reconnecting: what was sent, and how it ended. */
import { EventEmitter, once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'

/** What stands between two blank lines. */
export interface Block {
  readonly id?: string
  readonly event?: string
  /** Lines of data joined by LF. */
  readonly data?: string
  readonly retry?: string
  readonly comment?: string
  /** The data as JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly json?: any
}

export interface Opening {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Stream {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly blocks: readonly Block[]
  /** The newest SSE id. */
  readonly cursor: string | undefined
  /** Undefined while it goes on; `end`: properly; `cut`: in the middle of the body. */
  readonly ended: 'end' | 'cut' | undefined
  /** Resolves with the first block that fits, past or to come; rejects where the stream ends without. */
  find(fits: (block: Block) => boolean): Promise<Block>
  /** The same for an event or a control event by its name. */
  event(name: string): Promise<Block>
  /** Resolves as soon as this holds. */
  until(holds: (blocks: readonly Block[]) => boolean): Promise<void>
  /** Resolves with how it ended. */
  over(): Promise<'end' | 'cut'>
  close(): void
}

export async function open(url: string, opening: Opening = {}): Promise<Stream> {
  const { method = 'GET', headers = {}, body } = opening
  const all = { accept: 'text/event-stream', ...headers }
  const req = request(url, { method, headers: all, agent: false })
  req.end(body)
  const [response] = (await once(req, 'response')) as [IncomingMessage]
  // A cut is reported by the response; the request has nothing to add.
  req.on('error', () => {})
  return follow(response, () => req.destroy())
}

/** A stream over channels, with further members of the query. */
export function subscribe(url: string, channels: readonly string[], query = '', lastId?: string) {
  const named = channels.map((channel) => `channel=${encodeURIComponent(channel)}`).join('&')
  const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId }
  return open(`${url}/v1/events?${named}${query === '' ? '' : `&${query}`}`, { headers })
}

function follow(response: IncomingMessage, close: () => void): Stream {
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const blocks: Block[] = []
  let text = ''
  let rest = ''
  let cursor: string | undefined
  let ended: 'end' | 'cut' | undefined
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    const parts = (rest + chunk).split('\n\n')
    rest = parts.pop()!
    for (const part of parts) {
      const block = parseBlock(part)
      blocks.push(block)
      if (block.id !== undefined) cursor = block.id
    }
    told.emit('told')
  })
  response.on('error', () => {})
  response.on('close', () => {
    ended = response.complete ? 'end' : 'cut'
    told.emit('told')
  })

  async function settle(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (ended !== undefined) throw new Error(`the stream is over (${ended}):\n${text}`)
      await once(told, 'told')
    }
  }

  const stream: Stream = {
    status: response.statusCode!,
    headers: response.headers,
    get text() {
      return text
    },
    blocks,
    get cursor() {
      return cursor
    },
    get ended() {
      return ended
    },
    async find(fits) {
      let found: Block | undefined
      await settle(() => {
        found = blocks.find(fits)
        return found !== undefined
      })
      return found!
    },
    event: (name) => stream.find((block) => block.event === name),
    until: (holds) => settle(() => holds(blocks)),
    async over() {
      while (ended === undefined) await once(told, 'told')
      return ended
    },
    close,
  }
  return stream
}

/** The lines of a block. Strict on purpose: what isn't as the gateway writes it, throws. */
export function parseBlock(text: string): Block {
  const block: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const match = /^(id|event|data|retry|): (.*)$/s.exec(line)
    if (match === null) throw new Error(`not a line of SSE: ${JSON.stringify(line)}`)
    const name = match[1] || 'comment'
    const value = match[2]!
    block[name] = name === 'data' && block.data !== undefined ? `${block.data}\n${value}` : value
  }
  try {
    return { ...block, json: JSON.parse(block.data ?? '') }
  } catch {
    return block
  }
}

/** All blocks of a body that is there whole. */
export function parseBody(text: string): Block[] {
  if (!text.endsWith('\n\n')) throw new Error(`an unfinished block: ${JSON.stringify(text)}`)
  return text.slice(0, -2).split('\n\n').map(parseBlock)
}

/** The data of the events among blocks, controls left out. */
export function dataOf(blocks: readonly Block[]): unknown[] {
  return eventsOf(blocks).map((block) => block.json.data)
}

export function eventsOf(blocks: readonly Block[]): Block[] {
  return blocks.filter((block) => block.json?.channel && !block.event?.startsWith('stream.'))
}

export function controlsOf(blocks: readonly Block[], name: string): Block[] {
  return blocks.filter((block) => block.event === name)
}
