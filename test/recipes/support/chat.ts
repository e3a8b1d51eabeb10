/** What an application has around the files of docs/llm.md, "AI SDK": a router, a login, a model, its chats. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as WebStream } from 'node:stream/web'
import { pathToFileURL } from 'node:url'
import type { UIMessage } from 'ai'
import type { Test } from 'tap'
import { filesIn, layOut, readChapter } from '../../support/page.js'
import { type Llm, PAGE, withEnv } from './llm.js'

const YOURS = {
  'lib/auth.js': `export const getUser = async (request) =>
    request.headers.get('cookie') === 'login=7' ? { id: '7' } : null`,
  'lib/chats.js': `import { MockLanguageModelV3 } from 'ai/test'
    import { TransformStream } from 'node:stream/web'
    export const runs = new Map()
    export const saved = []
    export const chats = {
      setRun: async (user, chat, id) => void runs.set(user.id + chat, id),
      runOf: async (user, chat) => runs.get(user.id + chat),
      save: async (user, chat, messages) => void saved.push(messages),
    }
    /** What the model says: written by the test, word by word. */
    export const says = new TransformStream()
    let told
    export const aborted = new Promise((resolve) => { told = resolve })
    export const model = new MockLanguageModelV3({
      doStream: async ({ abortSignal }) => {
        abortSignal.addEventListener('abort', told)
        // As a provider's answer does, it breaks off.
        return { stream: says.readable.pipeThrough(new TransformStream(), { signal: abortSignal }) }
      },
    })`,
  // What React's hook does with these: a chat of the SDK, which is asked to resume when it is mounted.
  'app/react.js': `import { AbstractChat, DefaultChatTransport } from 'ai'
    class Chat extends AbstractChat {
      constructor({ id, messages = [], base }) {
        const state = {
          status: 'ready', error: undefined, messages: [...messages],
          pushMessage(message) { this.messages = [...this.messages, message] },
          popMessage() { this.messages = this.messages.slice(0, -1) },
          replaceMessage(i, message) { this.messages = this.messages.with(i, message) },
          snapshot: structuredClone,
        }
        const headers = { cookie: 'login=7' }
        super({ id, state, transport: new DefaultChatTransport({ api: base + '/api/chat', headers }) })
      }
    }
    export const place = { base: '' }
    export function useChat({ resume, ...options }) {
      const chat = new Chat({ ...options, ...place })
      return { chat, resumed: resume ? chat.resumeStream() : undefined }
    }`,
}

export interface Chat {
  readonly messages: readonly UIMessage[]
  readonly status: string
  readonly error: Error | undefined
  sendMessage(message: { text: string }): Promise<void>
}

export interface ChatPage {
  readonly chat: Chat
  /** Resolves when it has resumed what was running. */
  readonly resumed: Promise<void>
  readonly stop: () => void
}

export interface ChatApp {
  readonly url: string
  readonly chats: {
    readonly runs: ReadonlyMap<string, string>
    readonly saved: readonly (readonly UIMessage[])[]
    readonly says: TransformStream<object>
    readonly aborted: Promise<unknown>
  }
  /** Opens the page of this chat with what the application has saved of it. */
  openPage(id: string, messages?: readonly UIMessage[]): ChatPage
}

type Handler = (request: Request, context: { params: Promise<object> }) => Promise<Response>

export async function startChatApp(t: Test, llm: Llm): Promise<ChatApp> {
  const files = filesIn(readChapter(PAGE, 'AI SDK'))
  const hook = 'app/use-resumable-chat.js'
  const own = { [hook]: files[hook]!.replace('@ai-sdk/react', './react.js') }
  const directory = await layOut(t, { ...files, ...YOURS, ...own })
  withEnv(t, llm.env)
  const load = (file: string) => import(pathToFileURL(join(directory, file)).href)
  const routes: [RegExp, Record<string, Handler>][] = [
    [/^\/api\/chat$/, await load('app/api/chat/route.js')],
    [/^\/api\/chat\/([^/]+)\/stream$/, await load('app/api/chat/[id]/stream/route.js')],
    [/^\/api\/chat\/([^/]+)\/stop$/, await load('app/api/chat/[id]/stop/route.js')],
  ]
  const server = createServer(async (incoming, outgoing) => {
    const gone = new AbortController()
    outgoing.once('close', () => gone.abort())
    const { method = 'GET', headers } = incoming
    const [found, route] = routes.find(([path]) => path.test(incoming.url!))!
    const request = new Request(`http://app.example${incoming.url}`, {
      ...{ method, headers: headers as Record<string, string>, signal: gone.signal },
      ...(method === 'POST' && { body: Readable.toWeb(incoming) as BodyInit, duplex: 'half' }),
    })
    const params = Promise.resolve({ id: found.exec(incoming.url!)?.[1] })
    const answer = await route[method]!(request, { params })
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers))
    if (answer.body === null) outgoing.end()
    else await pipeline(Readable.fromWeb(answer.body as WebStream), outgoing).catch(() => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { place } = await load('app/react.js')
  place.base = url
  const { useResumableChat } = await load(hook)
  return {
    url,
    chats: await load('lib/chats.js'),
    openPage: (id, messages = []) => useResumableChat(id, messages),
  }
}
