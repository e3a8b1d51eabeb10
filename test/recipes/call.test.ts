/** docs/signaling.md, "In the browser": the page as it stands there, in two windows. */
import t from 'tap'
import { CALL_ARGS } from '../browser/support/call.js'
import { startBrowser } from '../support/browser.js'
import { startClientPages } from '../support/client-page.js'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, readChapter } from '../support/page.js'

const chapter = readChapter('signaling.md', 'In the browser')
const [html = ''] = codeIn(chapter, 'html')
const [script = ''] = codeIn(chapter, 'js')

t.test('two windows of it talk to each other, and say so when they leave', async (t) => {
  const gateway = await startGatewayProcess({ SLUICE_DRAIN_TIME: '200ms' })
  t.teardown(gateway.stop)
  t.match(script, 'http://127.0.0.1:8080')
  t.match(html, 'src="call.js"')
  const pages = await startClientPages(
    html.replace(/<script.*<\/script>/, ''),
    script.replaceAll('http://127.0.0.1:8080', gateway.url),
  )
  t.teardown(pages.stop)
  const browser = await startBrowser(CALL_ARGS)
  t.teardown(() => browser.close())

  const errors: string[] = []
  const open = async () => {
    const page = await (await browser.newContext()).newPage()
    page.on('pageerror', (error) => errors.push(String(error)))
    await page.goto(pages.origin)
    return page
  }
  const [one, other] = [await open(), await open()]
  for (const page of [one, other]) {
    await page.waitForSelector('#others video[data-state=connected]')
    await page.waitForFunction(() => {
      const video = document.querySelector<HTMLVideoElement>('#others video')
      return (video?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 3
    })
  }
  await one.getByRole('textbox').fill('Hello')
  await one.getByRole('button', { name: 'Say' }).click()
  await other.getByText('Ada: Hello').waitFor()

  // The picture of before: a new one may have taken its place by the time one looks.
  const before = await one.$('#others video')
  await other.reload()
  await before!.waitForElementState('hidden')
  await one.waitForSelector('#others video[data-state=connected]')
  await other.close()
  await one.waitForSelector('#others video', { state: 'detached' })
  t.strictSame(errors, [])
})
