/** The package in an application that has a React of its own: as it is installed, and not as a link. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

const PAGE = `
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { connect } from 'sluice/client'
import { useChannel, useConnectionState, usePresence } from 'sluice/react'

const client = connect({ url: 'http://127.0.0.1:9' })
function Page() {
  const { events } = useChannel(client, 'chat:7')
  return [events.length, usePresence(client, 'chat:7').length, useConnectionState(client).state].join()
}
console.log(renderToString(createElement(Page)))
client.close()
`

t.test("its hooks are those of the application's React", async (t) => {
  const app = await mkdtemp(join(tmpdir(), 'sluice-installed-'))
  t.teardown(() => rm(app, { recursive: true, force: true }))
  const modules = join(app, 'node_modules')
  await mkdir(join(modules, 'sluice'), { recursive: true })
  // What npm does by `--install-links`, without the registry.
  const pack = ['pack', '--offline', '--ignore-scripts', '--silent', '--pack-destination', app]
  const { stdout } = await run('npm', pack, { cwd: ROOT })
  const unpack = ['-xzf', stdout.trim(), '-C', join(modules, 'sluice'), '--strip-components', '1']
  await run('tar', unpack, { cwd: app })
  const own = ['react', 'react-dom', 'scheduler', 'loose-envify', 'js-tokens']
  for (const name of own) {
    await cp(join(ROOT, 'node_modules', name), join(modules, name), { recursive: true })
  }
  const name = 'eventsource-parser'
  await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  await writeFile(join(app, 'page.mjs'), PAGE)
  const page = await run(process.execPath, ['page.mjs'], { cwd: app })
  t.equal(page.stdout, '0,0,idle\n')
})
