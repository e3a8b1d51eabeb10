/** The soak is to be believed when it finds nothing: here it is given something to find. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

/** On the embedded log, for some seconds. */
function soak(...args: string[]): { child: ChildProcess; said: () => string } {
  const how = ['--topology', 'memory', '--minutes', '0.06', '--rate', '240', '--seed', '7']
  const loader = '--import=tsx'
  const child = spawn(process.execPath, [loader, MAIN, ...how, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return { child, said: () => text }
}

const found = {
  drop: /^missing: 1$/m,
  double: /^repeated: 1$/m,
  swap: /^disordered: [12]$/m,
  'silent-gap': /^missing: 30$/m,
}

for (const [sabotage, complaint] of Object.entries(found)) {
  t.test(`a soak in which the checker sees a ${sabotage} fails`, async (t) => {
    const { child, said } = soak('--sabotage', sabotage)
    const [code] = await once(child, 'exit')
    if (!t.equal(code, 1)) t.comment(said())
    t.match(said(), complaint)
  })
}

t.test('a soak without one is well', async (t) => {
  const { child, said } = soak()
  const [code] = await once(child, 'exit')
  if (!t.equal(code, 0)) t.comment(said())
  t.match(said(), /complaints +none/)
})

t.test('a soak that is interrupted leaves no process behind', async (t) => {
  const { child, said } = soak('--minutes', '5')
  while (!said().includes('all is up')) await once(child.stdout!, 'data')
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  const pids = children.trim().split(' ').map(Number)
  t.ok(pids.length >= 2, 'a gateway and nginx')
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  t.equal(code, 130)
  for (const pid of pids) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})
