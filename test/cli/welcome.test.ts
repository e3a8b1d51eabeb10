/** What the gateway shows to somebody at a terminal is typed into a shell here. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { styleFor } from '../../src/cli/style.js'
import { welcome } from '../../src/cli/welcome.js'
import { loadConfig } from '../../src/config.js'
import { startGateway } from '../../src/server.js'

/** What `npm run build` makes: it starts fast, and a shell types it several times. */
const bin = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
const sluice = `'${process.execPath}' '${bin}'`
/** Settings of whoever runs the tests must not leak in. */
const outside = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_')),
)

/** The lines of a gateway with these variables, by their names, and a shell with them. */
async function greeted(t: Test, env: Record<string, string>) {
  const config = loadConfig({ env, flags: { port: '0', 'drain-time': '1s' } })
  const gateway = await startGateway(config)
  t.teardown(() => gateway.close())
  const shown = welcome(gateway.url, config, styleFor({}, {}), sluice)
  const rows = shown.split('\n').filter((line) => line.trim() !== '')
  const line = (name: string) => rows.find((row) => row.startsWith(`  ${name} `))?.slice(10) ?? ''
  const shell = (script: string, more: Record<string, string> = {}) => {
    const child = spawn('sh', ['-c', script], {
      env: { ...outside, ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    return child
  }
  const ask = rows.find((row) => row.includes('export '))?.trim() ?? ':'
  const token = await text(shell(`${ask}\nprintf %s "$SLUICE_TOKEN"`).stdout)
  return { shown, line, shell: (script: string) => shell(script, { SLUICE_TOKEN: token }) }
}

const secret = 'a secret that is known to this test only'
const cases: [mode: string, env: Record<string, string>][] = [
  ['open', {}],
  ['locked', { SLUICE_JWT_SECRET: `${secret},another secret that is known to this test only` }],
  ['locked', { SLUICE_JWT_SECRET: secret, SLUICE_JWT_AUDIENCE: 'sluice' }],
  ['locked', { SLUICE_API_KEY: 'a-key-of-some-backend,another-key-of-some-backend' }],
]

for (const [mode, env] of cases) {
  const name = `${mode} ${Object.keys(env).join(', ')}`.trim()
  t.test(`the lines that a gateway shows work as they stand: ${name}`, async (t) => {
    const { shown, line, shell } = await greeted(t, env)
    t.ok(line(mode), 'it says which it is')
    const [page = ''] = line('look').split(' ')
    t.match(await (await fetch(page)).text(), '<title>', 'and where it can be looked at')
    for (const key of Object.values(env).flatMap((value) => value.split(','))) {
      if (key !== 'sluice') t.notMatch(shown, key.trim(), 'and shows no key')
    }
    const reading = shell(`exec ${line('read')}`)
    let read = ''
    const live = new Promise<void>((resolve, reject) => {
      reading.stdout.on('data', (chunk) => {
        read += chunk
        if (/stream\.live/.test(read)) resolve()
      })
      reading.once('close', () => reject(new Error(`the reader ended after ${read}`)))
    })
    await live
    const all = new Promise<void>((resolve) => {
      reading.stdout.on('data', () => {
        if (/"Hello".*"One".*" other"/s.test(read)) resolve()
      })
    })
    for (const verb of ['write', 'speak']) {
      const child = shell(line(verb))
      const [code] = await once(child, 'exit')
      t.equal(code, 0, `${verb}: ${code === 0 ? 'done' : await text(child.stderr)}`)
    }
    await all
    reading.kill()
  })
}

t.test('a gateway whose tokens are somebody else’s asks for one', async (t) => {
  const config = loadConfig({ env: { SLUICE_JWKS_URL: 'https://login.example/jwks' } })
  const shown = welcome('http://127.0.0.1:8080', config, styleFor({}, {}))
  t.match(shown, /locked +callers need a token of your issuer’s/)
  t.notMatch(shown, 'sluice token')
})
