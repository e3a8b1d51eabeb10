/** Somebody in a room, as a client is: a session, a stream, requests. */
import { randomBytes } from 'node:crypto'
import { type Answer, ask } from './ask.js'
import { type Block, open, type Stream } from './stream.js'

export interface Visitor {
  /** Secret of its session. */
  readonly session: string
  /** What the last join answered. */
  readonly joined: Answer
  /** Of the last join. */
  readonly incarnation: string
  join(room: string, body?: object): Promise<Answer>
  /** Opens a stream with nothing but the session. */
  stream(after?: string): Promise<Stream>
  send(room: string, body: unknown): Promise<Answer>
  request(method: string, path: string, body?: unknown): Promise<Answer>
}

export function visitor(url: string, headers: Readonly<Record<string, string>> = {}): Visitor {
  const session = randomBytes(18).toString('base64url')
  let joined: Answer | undefined
  const own = { 'sluice-session': session, ...headers }

  function request(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const type = text === undefined ? {} : { 'content-type': 'application/json' }
    return ask(`${url}${path}`, { method, headers: { ...own, ...type }, body: text })
  }

  return {
    session,
    get joined() {
      return joined!
    },
    get incarnation() {
      return joined?.json.participant.incarnation
    },
    async join(room, body = {}) {
      const answer = await request('POST', `/v1/rooms/${room}/participants`, body)
      if (answer.status < 300) joined = answer
      return answer
    },
    stream(after = joined?.json.cursor) {
      const { 'sluice-session': _, ...rest } = own
      const query = after === undefined ? '' : `&after=${after}`
      return open(`${url}/v1/events?session=${session}${query}`, { headers: rest })
    },
    send: (room, body) => request('POST', `/v1/rooms/${room}/signals`, body),
    request,
  }
}

/** The data of the events among blocks that have this name. */
export function said(blocks: readonly Block[], name: string) {
  return blocks.filter((block) => block.event === name).map((block) => block.json.data)
}
