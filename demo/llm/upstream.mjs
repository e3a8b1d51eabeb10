/**
 * A small upstream that speaks as OpenAI's chat completions do: real text, paced like a model. It says
 * what it wrote, too, so that readers can be compared with it.
 *
 *     POST /v1/chat/completions   {"stream": true, "messages": […]}
 *     GET  /generated/{id}        what it wrote under this `id`: {text, finished}
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { answerTo, piecesOf } from '../../dist/site/answers.js'
import { listen } from './listen.mjs'

const MODEL = 'river-1-mini'
/** ms until the first token: a model reads before it speaks. */
const THINKING_MS = 350
/** Tokens a second, between which the pace drifts. */
const SLOWEST = 20
const FASTEST = 40
/** Generations that are remembered, and bytes of a question. */
const KEPT = 200
const MAX_BODY = 64 * 1024

/** `random`, `later`: chance and the clock. Default: the real ones. */
export async function startUpstream({ random = Math.random, later = setTimeout } = {}) {
  /** By the id of the completion, the oldest first. */
  const generated = new Map()

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://upstream')
    const route = `${request.method} ${pathname}`
    if (route === 'POST /v1/chat/completions') return complete(request, response)
    const record = /^GET \/generated\/([\w-]+)$/.exec(route)
    const known = record && generated.get(record[1])
    if (known) return json(response, 200, known)
    return json(response, 404, { error: { message: 'Unknown', type: 'invalid_request_error' } })
  })

  async function complete(request, response) {
    const asked = await question(request)
    if (asked === undefined) {
      const message = 'Send {"stream": true, "messages": [{"role": "user", "content": "…"}]}'
      return json(response, 400, { error: { message, type: 'invalid_request_error' } })
    }
    speak(response, piecesOf(answerTo(asked)))
  }

  function speak(response, pieces) {
    const id = `chatcmpl-${randomUUID()}`
    const created = Math.floor(Date.now() / 1000)
    const record = { text: '', finished: false }
    generated.set(id, record)
    if (generated.size > KEPT) generated.delete(generated.keys().next().value)

    const say = (delta, finish_reason = null) => {
      const choices = [{ index: 0, delta, finish_reason }]
      const chunk = { id, object: 'chat.completion.chunk', created, model: MODEL, choices }
      response.write(`data: ${JSON.stringify(chunk)}\n\n`)
    }
    const pace = createPace(random)
    let timer = later(begin, THINKING_MS)
    // Whoever asked has gone: nobody pays for what nobody reads.
    response.on('close', () => clearTimeout(timer))
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()

    function begin() {
      say({ role: 'assistant', content: '' })
      next(0)
    }
    function next(at) {
      const content = pieces[at]
      if (content === undefined) {
        record.finished = true
        say({}, 'stop')
        response.end('data: [DONE]\n\n')
        return
      }
      record.text += content
      say({ content })
      timer = later(() => next(at + 1), pace())
    }
  }

  return listen(server)
}

/** ms to the next token, again and again: a pace that drifts, and no two steps alike. */
function createPace(random) {
  let rate = (SLOWEST + FASTEST) / 2
  return () => {
    rate = Math.min(FASTEST, Math.max(SLOWEST, rate + (random() - 0.5) * 6))
    return (1000 / rate) * (0.5 + random())
  }
}

/** The last words of the user; undefined where it isn't a question that this upstream understands. */
async function question(request) {
  let body = ''
  request.setEncoding('utf8')
  for await (const part of request) {
    body += part
    if (body.length > MAX_BODY) return undefined
  }
  try {
    const { stream, messages } = JSON.parse(body)
    const content = messages.findLast(({ role }) => role === 'user')?.content
    return stream === true && typeof content === 'string' ? content : undefined
  } catch {
    return undefined
  }
}

function json(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
