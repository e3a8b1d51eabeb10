/** docs/clients.md, the clients by hand: each through a cut, a gap, and to an end for good. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { ask, post } from '../routes/support/ask.js'
import { startCutter } from '../support/cutter.js'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.js'
import { codeIn, layOutApplication, readChapter } from '../support/page.js'
import { seeded } from '../support/random.js'
import { until } from '../support/until.js'
import { type Run, startFollower } from './support/follower.js'

const PAGE = 'clients.md'
const GATEWAY = 'http://127.0.0.1:8080'
const KEY = 'a-key-that-is-known-to-this-test-only'
const SECRET = 'a secret that is known to this test only'
const backend = { authorization: `Bearer ${KEY}` }

let gateway: GatewayProcess
t.before(async () => {
  gateway = await startGatewayProcess({ SLUICE_API_KEY: KEY, SLUICE_JWT_SECRET: SECRET })
})
t.teardown(() => gateway?.stop())
t.jobs = 3
t.setTimeout(120_000)

const publish = (channel: string, n: number) =>
  post(`${gateway.url}/v1/events?channel=${channel}`, { n }, backend)
const at = (channel: string) => `${gateway.url}/v1/channels?channel=${channel}`

/** What stands in the page's examples, in the places of this test. */
interface Places {
  readonly url: string
  readonly channel: string
  /** Where the program says hello. Default: on the same channel. */
  readonly hello?: string
}

function codeOf(
  t: Test,
  title: string,
  language: string,
  { url, channel, hello = channel }: Places,
): string {
  const code = codeIn(readChapter(PAGE, title), language).at(-1) ?? ''
  t.match(code, GATEWAY, title)
  t.match(code, 'chat:lobby', title)
  return code
    .replace(/^(.*publish\(["'])chat:lobby/im, `$1${hello}`)
    .replaceAll(GATEWAY, url)
    .replaceAll('chat:lobby', channel)
}

type Program = (t: Test, places: Places) => Promise<Omit<Run, 'env'>>

const shell: Program = async (t, places) => {
  const cwd = await folder(t)
  await writeFile(join(cwd, 'follow.sh'), codeOf(t, 'curl', 'sh', places))
  return { command: ['sh', 'follow.sh'], cwd }
}

const node: Program = async (t, places) => {
  const code = codeOf(t, 'Node without the client', 'js', places)
  const cwd = await layOutApplication(t, { 'follow.mjs': code }, ['eventsource-parser'])
  return { command: [process.execPath, 'follow.mjs'], cwd }
}

const python: Program = async (t, places) => {
  const cwd = await folder(t)
  await writeFile(join(cwd, 'follow.py'), codeOf(t, 'Python', 'python', places))
  return { command: ['/usr/bin/python3', 'follow.py'], cwd }
}

const go: Program = async (t, places) => {
  const cwd = await folder(t)
  await writeFile(join(cwd, 'main.go'), codeOf(t, 'Go', 'go', places))
  const { status, stderr } = spawnSync('go', ['build', '-o', 'follow', 'main.go'], { cwd })
  if (status !== 0) throw new Error(String(stderr))
  return { command: ['./follow'], cwd }
}

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-follow-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

const programs: Record<string, Program> = { shell, node, python }
// A toolchain of some hundred megabytes is nothing that the tests could ask for.
if (spawnSync('go', ['version']).status === 0) programs.go = go

for (const [name, program] of Object.entries(programs)) {
  t.test(`${name}: nothing is lost over a cut, a gap is told, a goodbye is obeyed`, async (t) => {
    const channel = `chat:${name}`
    const cutter = await startCutter({
      ...{ target: gateway.port, random: seeded(7), budget: () => undefined },
    })
    t.teardown(() => cutter.stop())
    const subject = `user-${name}`
    const channels = { 'chat:*': ['subscribe', 'publish'] }
    const token = await new SignJWT({ sluice: { channels } })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(subject)
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(SECRET))
    await publish(channel, 1)
    const run = await program(t, { url: cutter.url, channel })
    const follower = startFollower(t, { ...run, env: { SLUICE_TOKEN: token } })
    await follower.said(/"n": ?1/)
    if (name !== 'shell') await follower.said('Hello')
    cutter.cutAll()
    await publish(channel, 2)
    await follower.said(/"n": ?2/)
    cutter.cutAll()
    await until(
      'gone',
      async () => (await ask(at(channel), { headers: backend })).json.subscribers === 0,
    )
    await publish(channel, 9)
    await ask(at(channel), { method: 'DELETE', headers: backend })
    await publish(channel, 3)
    await follower.said(/"n": ?3/)
    await post(`${gateway.url}/v1/revocations`, { subject }, backend)
    t.equal(await follower.ended, 0)
    const hello = name === 'shell' ? [] : [/Hello/]
    const all = [/"n": ?1/, ...hello, /"n": ?2/, /missing.*deleted/, /"n": ?3/, /that was all/]
    t.match(follower.lines, all)
    t.equal(follower.lines.length, all.length)
  })

  t.test(`${name}: a channel that is at its end ends it`, async (t) => {
    const channel = `closed:${name}`
    await publish(channel, 1)
    await post(`${gateway.url}/v1/channels/close?channel=${channel}`, {}, backend)
    const run = await program(t, { url: gateway.url, channel, hello: 'open' })
    const follower = startFollower(t, { ...run, env: { SLUICE_TOKEN: KEY } })
    t.equal(await follower.ended, 0)
    t.match(follower.lines.at(-1), 'that was all')
  })
}
