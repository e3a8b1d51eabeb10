/** The client in a page of Chromium, loaded from the gateway as pages without a build do. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Driver, Note, Remote, Settings } from '../../client/support/driver.js'

/** What a page's author writes, and notes of what happened. */
export const PAGE = `<!doctype html><title>Client</title><script type="module">
  window.notes = []
  let wake = () => {}
  const note = (it) => { notes.push(it); wake() }
  window.until = async (source, argument) => {
    const predicate = (0, eval)(source)
    while (!predicate(notes, argument)) await new Promise((resolve) => { wake = resolve })
    return notes
  }
  window.start = async (script, { url, channels, rewind, shared, token, tokens }) => {
    const { connect } = await import(script)
    window.client = connect({
      url,
      shared,
      token,
      getToken: tokens && (async () => (await fetch(tokens)).text()),
      onState: (it) => note({ kind: 'state', state: it.state, reason: it.reason }),
      onGap: ({ channel, reason }) => note({ kind: 'gap', channel, reason }),
    })
    for (const channel of channels) {
      client.subscribe(
        channel,
        ({ id, data }) => note({ kind: 'event', id, channel, data, state: client.state.state }),
        { rewind },
      )
    }
  }
  window.send = (channel, data) => {
    client.publish(channel, data).then(({ id }) => note({ kind: 'receipt', id, data }), () => {})
  }
</script>`

export interface PageRemote extends Remote {
  readonly page: Page
}

/** A page of its own in a context, with a client in it. `origin` serves PAGE, `script` is the client's file. */
export async function openPage(
  context: BrowserContext,
  origin: string,
  script: string,
  settings: Settings,
): Promise<PageRemote> {
  const page = await context.newPage()
  await page.goto(origin)
  await page.waitForFunction('window.start !== undefined')
  await page.evaluate(`start(${JSON.stringify(script)}, ${JSON.stringify(settings)})`)
  return {
    page,
    notes: () => page.evaluate('notes') as Promise<Note[]>,
    until: (predicate, argument) =>
      page.evaluate(
        `until(${JSON.stringify(`(${predicate})`)}, ${JSON.stringify(argument) ?? 'undefined'})`,
      ) as Promise<Note[]>,
    async publish(channel, data) {
      await page.evaluate(`send(${JSON.stringify(channel)}, ${JSON.stringify(data)})`)
    },
    close: () => page.close(),
  }
}

/** Pages side by side in one browser. */
export function pageDriver(browser: Browser, origin: string, script: () => string): Driver {
  return {
    async open(settings) {
      const context = await browser.newContext()
      const remote = await openPage(context, origin, script(), settings)
      return { ...remote, close: () => context.close() }
    },
  }
}
