/** README.md, "Lock it": what a newcomer types, as it stands there. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { post } from '../routes/support/ask.js'
import { startBrowser } from '../support/browser.js'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, readChapter } from '../support/page.js'
import { freePort } from '../support/ports.js'

const chapter = readChapter('../README.md', 'Lock it')

t.test('from two keys to a page that is subscribed by ticket', async (t) => {
  const shell = codeIn(chapter, 'sh').join('\n')
  const env = Object.fromEntries(
    [...shell.matchAll(/\b(SLUICE_(?:API_KEY|JWT_SECRET))=([\w-]+)/g)].map(([, k, v]) => [k!, v!]),
  )
  t.same(Object.keys(env).sort(), ['SLUICE_API_KEY', 'SLUICE_JWT_SECRET'])
  const gateway = await startGatewayProcess(env)
  t.teardown(() => gateway.stop())
  t.match(await gateway.said('listening'), '"mode":"locked"')

  const port = await freePort()
  const [app = ''] = codeIn(chapter, 'js')
  t.match(app, 'http://127.0.0.1:8080')
  const dir = await mkdtemp(join(tmpdir(), 'readme-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const file = join(dir, 'app.mjs')
  const placed = app
    .replaceAll('http://127.0.0.1:8080', gateway.url)
    .replaceAll('localhost:3000', `localhost:${port}`)
    .replaceAll('listen(3000', `listen(${port}`)
  await writeFile(file, placed)
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  t.teardown(() => void child.kill())

  const browser = await startBrowser()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const url = `http://localhost:${port}/`
  while ((await page.goto(url).catch(() => null)) === null);
  // The ticket is redeemed with the opening; what came before is part of what the page asks for.
  const events = `${gateway.url}/v1/events?channel=chat:7`
  const key = { authorization: `Bearer ${env.SLUICE_API_KEY}` }
  t.equal((await post(events, '"Hello"', key)).status, 201)
  await page.getByText('backend: "Hello"').waitFor()
  t.equal((await post(events, '"nobody"')).status, 401)
})
