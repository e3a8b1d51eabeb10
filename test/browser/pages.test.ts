/** The gateway's own pages as a visitor has them: in a real Chromium, two windows where it takes two. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { startBrowser } from '../support/browser.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { createPublisher } from '../support/publisher.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PAGES = ['/', '/chat', '/tokens', '/notifications', '/call', '/inspect']

let browser: Browser
let gateway: GatewayProcess
t.setTimeout(120_000)
t.jobs = 6
t.before(async () => {
  ;[browser, gateway] = await Promise.all([startBrowser(), startGatewayProcess()])
})
t.teardown(async () => {
  await browser?.close()
  await gateway?.stop()
})

interface Visitor {
  /** Opens a page in a browser of its own, so to speak. */
  visit(path: string): Promise<Page>
  /** A window that has opened by itself. */
  watch(page: Page): void
}

/** Side by side, for most of the time they wait. A console that complains fails them. */
function asVisitor(name: string, run: (t: Test, visitor: Visitor) => Promise<void>): void {
  t.test(name, { buffered: true }, async (t) => {
    const errors: string[] = []
    const watch = (page: Page) => {
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
      page.on('pageerror', (error) => errors.push(String(error)))
    }
    const visit = async (path: string) => {
      const context = await browser.newContext()
      t.teardown(() => context.close())
      const page = await context.newPage()
      watch(page)
      await page.goto(`${gateway.url}${path}`)
      return page
    }
    await run(t, { visit, watch })
    t.strictSame(errors, [], 'no error')
  })
}

/** A busy machine may look like a proxy that holds streams back, and the page begin by polls: then once more. */
async function live(page: Page): Promise<void> {
  for (;;) {
    const state = await page.waitForSelector('#state:is([data-state=live], [data-state=polling])')
    if ((await state.getAttribute('data-state')) === 'live') return
    await page.reload()
  }
}

const textsOf = (page: Page, selector: string) => page.locator(selector).allTextContents()

/** Resolves once the page's words are these. */
function shows(page: Page, selector: string, wanted: readonly string[]) {
  return page.waitForFunction(
    ([selector, wanted]) => {
      const texts = [...document.querySelectorAll(selector!)].map((it) => it.textContent)
      return JSON.stringify(texts) === wanted
    },
    [selector, JSON.stringify(wanted)] as const,
    { timeout: 30_000 },
  )
}

// ── chat ──

async function name(page: Page, own: string): Promise<void> {
  await page.getByLabel('Your name').fill(own)
  await page.keyboard.press('Tab')
}

async function say(page: Page, words: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(words)
  await page.keyboard.press('Enter')
}

asVisitor(
  'two who chat see each other come, type and speak, and both read it again',
  async (t, { visit }) => {
    const path = '/chat?room=two'
    const [ada, grace] = await Promise.all([visit(path), visit(path)])
    await Promise.all([live(ada), live(grace)])
    await name(ada, 'Ada')
    await name(grace, 'Grace')
    await Promise.all([
      shows(ada, '#people .name', ['Ada', 'Grace']),
      shows(grace, '#people .name', ['Grace', 'Ada']),
    ])

    await grace.getByLabel('Message', { exact: true }).pressSequentially('On')
    await shows(ada, '#typing', ['Grace is typing …'])
    await shows(ada, '#typing', [''])

    await say(ada, 'Can you hear the weir?')
    await shows(grace, '.text', ['Can you hear the weir?'])
    await say(grace, 'Only <b>when</b> the wind is right.')
    const all = ['Can you hear the weir?', 'Only <b>when</b> the wind is right.']
    await Promise.all([shows(ada, '.text', all), shows(grace, '.text', all)])
    t.same(await textsOf(ada, '.message .name'), ['You', 'Grace'])
    t.same(await textsOf(ada, '.progress'), [], 'nothing is on its way any more')

    await grace.reload()
    await Promise.all([live(grace), shows(grace, '.text', all)])
    t.same(await textsOf(grace, '.message .name'), ['Ada', 'You'])
    await shows(grace, '#people .name', ['Grace', 'Ada'])
  },
)

asVisitor('two windows of one person are one person', async (_, { visit, watch }) => {
  const page = await visit('/chat?room=windows')
  await live(page)
  for (const [link, people] of [
    ['Another window', 1],
    ['As somebody else', 2],
  ] as const) {
    const opened = page.waitForEvent('popup')
    await page.getByRole('link', { name: link }).click()
    const other = await opened
    watch(other)
    await live(other)
    await page.waitForFunction(
      (people) => document.querySelectorAll('#people li').length === people,
      people,
    )
  }
  await shows(page, '#people li:first-child .hint', ['you · 2 windows'])
})

asVisitor('what is written without a network waits, and is sent once', async (t, { visit }) => {
  const page = await visit('/chat?room=offline')
  await live(page)
  await page.context().setOffline(true)
  await page.waitForSelector('#state[data-state=offline]')
  await say(page, 'One')
  await say(page, 'Two')
  await shows(page, '.progress', ['waits to be sent', 'waits to be sent'])
  t.match(await page.locator('#queue').textContent(), /^2 messages wait/)
  await page.context().setOffline(false)
  await live(page)
  await shows(page, '.progress', [])
  await shows(page, '.text', ['One', 'Two'])
  t.ok(await page.locator('#queue').isHidden())
})

asVisitor(
  'one sees what one types, and what was said last, in any window',
  async (t, { visit }) => {
    const publisher = createPublisher()
    for (let nr = 1; nr <= 30; nr++) {
      await publisher.one(gateway.url, 'demo:chat-windows-of-any-size', `Line ${nr}`)
    }
    const page = await visit('/chat?room=windows-of-any-size')
    await page.getByText('Line 30', { exact: true }).waitFor()
    for (const [width, height] of [
      [1280, 800],
      [1280, 500],
      [390, 844],
      // A phone's keyboard is open.
      [390, 440],
    ] as const) {
      await page.setViewportSize({ width, height })
      for (const seen of [
        page.getByLabel('Message', { exact: true }),
        page.getByText('Line 30', { exact: true }),
      ]) {
        // Where it is drawn, not only laid out: nothing has cut it off.
        await page.waitForFunction(
          (element) => {
            const { top, bottom, left } = element!.getBoundingClientRect()
            return [top + 4, bottom - 4].every(
              (y) => document.elementFromPoint(left + 30, y) === element,
            )
          },
          await seen.elementHandle(),
          { timeout: 5_000 },
        )
      }
    }
    t.equal(await page.evaluate(() => scrollY), 0)
  },
)

asVisitor('whatever a terminal writes is shown, as text', async (t, { visit }) => {
  const publisher = createPublisher()
  const channel = 'demo:chat-terminal'
  for (const data of ['Hello', { name: 'Pump', text: '<img src=x>' }, [1, 2]]) {
    await publisher.one(gateway.url, channel, data)
  }
  const page = await visit('/chat?room=terminal')
  await shows(page, '.text', ['Hello', '<img src=x>', '[1,2]'])
  t.same(await textsOf(page, '.message .name'), ['Somebody', 'Pump', 'Somebody'])
})

// ── notifications ──

const timeline = (page: Page, words: string) =>
  page.locator('#timeline li', { hasText: words }).first().waitFor({ timeout: 15_000 })

/** All that the page has sent, each once. */
async function counts(t: Test, page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const [sent, shown] = ['sent', 'shown'].map((id) => document.getElementById(id)?.textContent)
    return sent !== '0' && sent === shown
  })
  for (const id of ['underway', 'missing', 'doubled']) {
    t.equal(await page.locator(`#${id}`).textContent(), '0', id)
  }
  const keys = await page
    .locator('#feed li')
    .evaluateAll((all) => all.map((it) => (it as HTMLElement).dataset.key))
  t.equal(keys.length, Number(await page.locator('#sent').textContent()))
  t.equal(new Set(keys).size, keys.length)
}

/** Puts a proxy in the way while notifications come, and takes it away again. */
async function behind(
  t: Test,
  { visit }: Visitor,
  title: string,
  suffers: (page: Page) => Promise<unknown>,
  back: string,
): Promise<void> {
  const page = await visit(`/notifications?room=${title.replaceAll(' ', '-')}`)
  await live(page)
  await page.getByLabel('Keep them coming').check()
  await page.locator('#feed li').first().waitFor()
  await page.getByRole('radio', { name: title }).check()
  await suffers(page)
  await page.getByRole('radio', { name: 'None' }).check()
  await timeline(page, 'The proxy is gone')
  await timeline(page, back)
  await live(page)
  await page.getByLabel('Keep them coming').uncheck()
  await page.getByRole('button', { name: 'Send me one' }).click()
  await counts(t, page)
}

for (const title of ['Holds the whole body', 'Holds the last message']) {
  asVisitor(`a proxy that ${title.toLowerCase()}: polls, and back`, (t, visitor) =>
    behind(
      t,
      visitor,
      title,
      async (page) => {
        const from = Date.now()
        await page.waitForSelector('#state[data-state=polling]')
        t.ok(Date.now() - from < 8_000, `${Date.now() - from} ms`)
        await timeline(page, 'Nothing came in time')
        await page.locator('#feed [data-way=poll]').nth(1).waitFor()
      },
      'Live again',
    ),
  )
}

asVisitor('a proxy that cuts idle connections: the stream goes on', (t, visitor) =>
  behind(
    t,
    visitor,
    'Cuts idle connections',
    (page) => timeline(page, 'The proxy has cut'),
    'Live',
  ),
)

asVisitor('a proxy that answers 502: what is sent waits', (t, visitor) =>
  behind(
    t,
    visitor,
    'Answers 502',
    async (page) => {
      await timeline(page, 'The answer is 502')
      await page.waitForSelector('#underway[data-some=true]')
    },
    'Live',
  ),
)

asVisitor(
  'one proxy after another falls upon a stream, and a reload forgets nothing',
  async (t, { visit }) => {
    const page = await visit('/notifications?room=one-after-another')
    await live(page)
    const choose = (title: string) => page.getByRole('radio', { name: title }).check()
    await page.getByLabel('Keep them coming').check()
    await choose('Holds the whole body')
    await page.waitForSelector('#state[data-state=polling]')
    await choose('Cuts idle connections')
    await timeline(page, 'Live again')
    await timeline(page, 'A proxy: cuts idle connections')
    await choose('Answers 502')
    await timeline(page, 'The answer is 502')
    await page.waitForSelector('#underway[data-some=true]')
    t.match(await page.locator('#state').getAttribute('data-tone'), 'wait')

    await page.reload()
    await page.waitForSelector('#underway[data-some=true]')
    t.ok(await page.getByRole('radio', { name: 'Answers 502' }).isChecked())
    t.ok(await page.getByLabel('Keep them coming').isChecked())
    await choose('None')
    await live(page)
    await page.getByLabel('Keep them coming').uncheck()
    await counts(t, page)

    const sent = await page.locator('#sent').textContent()
    await page.reload()
    await page
      .locator('#feed li')
      .nth(Number(sent) - 1)
      .waitFor()
    await counts(t, page)
    t.equal(await page.locator('#sent').textContent(), sent)
  },
)

// ── the first page ──

asVisitor(
  'the first page reads what its commands write, and leads everywhere',
  async (t, { visit }) => {
    const page = await visit('/')
    await live(page)
    await page.getByRole('button', { name: 'Put one in' }).click()
    await page.locator('#log li').first().waitFor()
    await createPublisher().one(gateway.url, 'demo:hello', { text: 'by hand' })
    await page.locator('#came li', { hasText: '{"text":"by hand"}' }).waitFor()
    const commands = (await textsOf(page, '#commands code')).join('\n')
    t.match(commands, `'${gateway.url}/v1/events?channel=demo:hello'`)
    t.match(commands, `Last-Event-ID: ${await page.locator('#came .id').first().textContent()}`)
    const links = await page
      .locator('a')
      .evaluateAll((all) => all.map((it) => (it as HTMLAnchorElement).href))
    for (const path of PAGES) t.ok(links.includes(`${gateway.url}${path}`), path)
    for (const link of new Set(links)) t.equal((await fetch(link)).status, 200, link)
  },
)

// ── all of them ──

/** Violations that keep somebody from something. */
async function complaints(page: Page): Promise<string[]> {
  // By evaluating it: a page's own policy allows no script from elsewhere.
  await page.evaluate(AXE)
  const { violations } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; impact: string; nodes: { target: string[] }[] }[]
  }
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`))
}

asVisitor(
  'no page has serious findings, in either theme, on a desk or a phone',
  async (t, { visit }) => {
    for (const path of PAGES) {
      const page = await visit(path)
      for (const [colorScheme, width, height] of [
        ['light', 1280, 860],
        ['dark', 390, 844],
      ] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await page.setViewportSize({ width, height })
        t.strictSame(await complaints(page), [], `${path} ${colorScheme} ${width}`)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        t.equal(Math.max(0, wide), 0, `${path} fits ${width}`)
      }
    }
  },
)
