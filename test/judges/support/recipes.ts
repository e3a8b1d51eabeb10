/** The lines that make SDKs resume, as docs/llm.md shows them. Each stands by itself. */
import { type AbstractChat, DefaultChatTransport, type UIMessage } from 'ai'

// ── any SDK that takes a `fetch`: OpenAI's, Anthropic's, the AI SDK's ──

/**
 * A `fetch` for which the answer of the relay is one body, however often the connection is lost: what is
 * missing is asked for with the id of the last whole event. `wait`: ms before it is asked again;
 * `patience`: ms without a word after which it is given up.
 */
export function resuming(wait = 1000, patience = 60_000): typeof fetch {
  return async (input, init) => {
    const answer = await fetch(input, init)
    const run = answer.headers.get('location')
    if (!answer.headers.has('sluice-run') || run === null) return answer
    const authorization = new Headers(init?.headers).get('authorization')
    const events = wholeEvents(answer, (cursor) =>
      fetch(new URL(`${run}/events`, answer.url), {
        headers: { ...(authorization && { authorization }), 'last-event-id': cursor },
        signal: init?.signal ?? null,
      }),
    )
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await events.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => void (await events.return(undefined)),
    })
    return new Response(body, answer)

    async function* wholeEvents(first: Response, goOn: (cursor: string) => Promise<Response>) {
      let response: Response | undefined = first
      let cursor = ''
      let heard = Date.now()
      const tired = () => Date.now() - heard > patience
      for (;;) {
        let text = ''
        try {
          response ??= await goOn(cursor)
          // Everything was read, only the end of the body was lost.
          if (response.status === 204) return
          const later = response.status === 429 || response.status >= 500
          if (!response.ok && (!later || tired())) break
          for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
            text += part
            if (response.ok) heard = Date.now()
            const end = text.lastIndexOf('\n\n') + 2
            if (end < 2 || !response.ok) continue
            const events = text.slice(0, end)
            text = text.slice(end)
            cursor = [...events.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? cursor
            yield new TextEncoder().encode(events)
          }
          if (response.ok) return
        } catch (error) {
          if (init?.signal?.aborted || tired()) throw error
        }
        response = undefined
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
      throw new Error(`The run can’t be read on: ${await response.text()}`)
    }
  }
}

// ── OpenAI's and Anthropic's SDK, in even fewer lines ──

/**
 * Asks until the answer was read to its end. By the same `Idempotency-Key` it is the same generation, from
 * its first token on: `read` begins with an empty text each time. What an API says stands; only what was
 * cut off is asked for again.
 */
export async function again<T>(read: () => Promise<T>, tries = 10): Promise<T> {
  for (;;) {
    try {
      return await read()
    } catch (error) {
      const { status, error: said } = error as { status?: number; error?: unknown }
      if (status !== undefined || said !== undefined || --tries === 0) throw error
    }
  }
}

// ── the AI SDK's `useChat` ──

/**
 * `useChat({ id, messages, resume: true, transport: chatTransport(gateway, 'app/api/chat', messages) })`.
 * The run of an answer is called after the chat and the question; so a page that is loaded again finds it.
 * `opened`: the messages that the page was loaded with.
 */
export function chatTransport(gateway: string, path: string, opened: readonly UIMessage[] = []) {
  let messages = opened
  const runOf = (chat: string) => {
    return `${chat}:${messages.findLast(({ role }) => role === 'user')?.id}`
  }
  return new DefaultChatTransport<UIMessage>({
    api: `${gateway}/v1/relay/${path}`,
    prepareSendMessagesRequest({ id, headers, body, ...request }) {
      messages = request.messages
      const run = { 'sluice-run': runOf(id), 'idempotency-key': runOf(id) }
      return { headers: { ...headers, ...run }, body: { ...body, id, messages } }
    },
    prepareReconnectToStreamRequest: ({ id }) => ({
      api: `${gateway}/v1/runs/${encodeURIComponent(runOf(id))}/events`,
    }),
    async fetch(url, init) {
      const answer = await fetch(url, init)
      // There is no such run: the transport's word for it is another.
      const nothing = init?.method === 'GET' && answer.status === 404
      return nothing ? new Response(null, { status: 204 }) : answer
    },
  })
}

/** After a lost connection: the whole answer comes again, and replaces the part. */
export async function resumed(chat: AbstractChat<UIMessage>): Promise<void> {
  while (chat.error instanceof TypeError) {
    await chat.resumeStream()
    // Nothing runs, for the question itself was lost on its way.
    if (chat.status === 'ready' && chat.lastMessage?.role === 'user') await chat.sendMessage()
  }
}
