/** docs/signaling.md, "In the browser": the page as it stands there, in two windows. */
import { build } from 'esbuild'
import t from 'tap'
import { CALL_ARGS } from '../browser/support/call.js'
import { startBrowser, startPageServer } from '../support/browser.js'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, layOutApplication, readChapter } from '../support/page.js'

const chapter = readChapter('signaling.md', 'In the browser')
const [html = ''] = codeIn(chapter, 'html')
const [script = ''] = codeIn(chapter, 'js')

t.test('two windows of it talk to each other, and say so when they leave', async (t) => {
  const gateway = await startGatewayProcess({ SLUICE_DRAIN_TIME: '200ms' })
  t.teardown(gateway.stop)
  t.match(script, 'http://127.0.0.1:8080')
  t.match(html, 'src="call.js"')
  const directory = await layOutApplication(t, {
    'main.js': script.replaceAll('http://127.0.0.1:8080', gateway.url),
  })
  const { outputFiles } = await build({
    ...{ entryPoints: [`${directory}/main.js`], bundle: true, write: false, format: 'esm' },
  })
  const code = outputFiles[0]!.text.replaceAll('</script', '<\\/script')
  const pages = await startPageServer(
    `<!doctype html><link rel="icon" href="data:,">${html.replace(/<script.*<\/script>/, () => `<script type="module">${code}</script>`)}`,
  )
  t.teardown(pages.stop)
  const browser = await startBrowser(CALL_ARGS)
  t.teardown(() => browser.close())

  const errors: string[] = []
  const open = async (name: string, from = browser) => {
    const page = await (await from.newContext()).newPage()
    page.on('pageerror', (error) => errors.push(String(error)))
    await page.goto(`${pages.origin}/?name=${name}`)
    return page
  }
  const [one, other] = [await open('Ada'), await open('Bob')]
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
  t.equal(await one.locator('#here').textContent(), 'Ada, Bob')

  // The picture of before: a new one may have taken its place by the time one looks.
  const before = await one.$('#others video')
  await other.reload()
  await before!.waitForElementState('hidden')
  await one.waitForSelector('#others video[data-state=connected]')
  await other.close()
  await one.waitForSelector('#others video', { state: 'detached' })

  const blind = await startBrowser(CALL_ARGS.filter((it) => !it.startsWith('--use-fake')))
  t.teardown(() => blind.close())
  const carol = await open('Carol', blind)
  await carol.waitForSelector('#others video[data-state=connected]')
  t.equal(await carol.locator('#here').textContent(), 'Carol, Ada')
  await carol.getByRole('textbox').fill('I only look')
  await carol.getByRole('button', { name: 'Say' }).click()
  await one.getByText('Carol: I only look').waitFor()
  t.strictSame(errors, [])
})
