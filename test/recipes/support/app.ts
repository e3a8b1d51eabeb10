/** An application of somebody else: a server that gives a page to Chromium and answers what it asks. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import type { Test } from 'tap'

/** What the page's author has beside what the page of docs/ shows, and notes of what happened. */
const STAGE = `
  const notes = { shown: [], gaps: [], opened: 0, sources: [], answers: [] }
  let waiting
  const told = () => waiting?.()
  const show = ({ data, sender }) => { notes.shown.push({ data, sender }); told() }
  const reload = (gap) => { notes.gaps.push(gap); told() }
  window.EventSource = class extends EventSource {
    constructor(...given) {
      super(...given)
      notes.sources.push(this)
      this.addEventListener('open', () => { notes.opened++ })
      this.addEventListener('error', told)
      this.addEventListener('stream.live', () => { this.live = true; told() })
    }
  }
  const ask = window.fetch
  window.fetch = async (...given) => {
    const answer = await ask(...given)
    notes.answers.push(new URL(answer.url).pathname + ' ' + answer.status)
    told()
    return answer
  }
  // Resolves once the predicate, given as source, holds for the notes.
  async function until(source) {
    const predicate = (0, eval)(source)
    while (!predicate(notes)) await new Promise((resolve) => { waiting = resolve })
  }
`

export interface Notes {
  readonly shown: readonly { readonly data: unknown; readonly sender?: string }[]
  readonly gaps: readonly unknown[]
  /** Connections. */
  readonly opened: number
  readonly sources: readonly { readonly readyState: number; readonly live?: boolean }[]
  /** Of what was fetched: path and status. */
  readonly answers: readonly string[]
}

export interface App {
  readonly port: number
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[]
  /** Opens the page of this origin in a browser of its own. */
  open(origin: string): Promise<AppPage>
}

export interface AppPage {
  readonly page: Page
  /** Resolves with the notes once the predicate holds. It runs in the page and sees nothing else. */
  until(predicate: (notes: Notes) => boolean): Promise<Notes>
}

export interface AppOptions {
  readonly browser: Browser
  /** Where it listens. Default: any free port. */
  readonly port?: number
  /** The page's scripts, which find the gateway in `SLUICE`. */
  readonly script: () => string
  /** Where pages find the gateway. */
  readonly sluice: () => string
  /** Called for every path, with the head still open. What it gives is the body of all but the page; undefined: 503. */
  readonly answer: (path: string, response: ServerResponse) => Promise<unknown>
}

export async function startApp(t: Test, options: AppOptions): Promise<App> {
  const asked: string[] = []
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!
    if (path === '/favicon.ico') {
      response.writeHead(404).end()
      return
    }
    asked.push(path)
    const answer = await options.answer(path, response)
    if (path === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      const scripts = [STAGE, `const SLUICE = '${options.sluice()}'`, options.script()]
      response.end(`<!doctype html>${scripts.map((one) => `<script>${one}</script>`).join('')}`)
    } else if (answer === undefined) response.writeHead(503).end()
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async open(origin) {
      const context = await options.browser.newContext()
      t.teardown(() => context.close())
      const page = await context.newPage()
      await page.goto(origin)
      return {
        page,
        async until(predicate) {
          await page.evaluate(`until(${JSON.stringify(`(${predicate})`)})`)
          return page.evaluate<Notes>(
            '({ ...notes, sources: notes.sources.map(({ readyState, live }) => ({ readyState, live })) })',
          )
        },
      }
    },
  }
}
