/** The fuzz is to be believed when it finds nothing: here it is given something to find. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

t.setTimeout(300_000)

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

/** Some seconds of it; resolves with its exit code and all that it said. */
async function fuzz(...args: string[]): Promise<{ code: number; said: string }> {
  const loader = '--import=tsx'
  const child = spawn(process.execPath, [loader, MAIN, '--seed', '7', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
  })
  const [code] = await once(child, 'close')
  return { code, said }
}

/** Every kind of complaint that each fault must lead to. */
const FOUND = {
  'error-500': /^answer: 500 /m,
  'plain-404': /^answer: 404 of type "text\/plain"/m,
  'bad-framing': /^malformed: not an? (answer|status line): .*surplus/m,
  'no-answer': /^unanswered: [1-9]/m,
  'lost-event': /^bystander: missing: stream \d on calm:0/m,
  'error-line': /^logged: not a line of the log: sabotage/m,
  'lost-descriptors': /^descriptors: after \d+ ms \d+ are open/m,
  'lost-memory': /^memory: used: /m,
}

t.test(
  'a fuzz of a gateway that does everything wrong finds all of it',
  { timeout: 100_000 },
  async (t) => {
    const sabotage = Object.keys(FOUND).join(',')
    const { code, said } = await fuzz('--minutes', '0.1', '--settle', '3', '--sabotage', sabotage)
    if (!t.equal(code, 1)) t.comment(said)
    for (const [fault, complaint] of Object.entries(FOUND)) t.match(said, complaint, fault)
  },
)

t.test('a fuzz of a gateway that dies fails', { timeout: 100_000 }, async (t) => {
  const { code, said } = await fuzz('--minutes', '0.1', '--sabotage', 'crash')
  if (!t.equal(code, 1)) t.comment(said)
  t.match(said, /^died: the process ended: 1$/m)
})

async function soundRun(t: Test, ...args: string[]): Promise<void> {
  const { code, said } = await fuzz('--minutes', '0.12', ...args)
  if (!t.equal(code, 0)) t.comment(said)
  t.match(said, /complaints +none/)
  t.match(said, /^ +requests +\d{3,}$/m, 'it did ask')
}

t.test('an open gateway survives everything', { timeout: 100_000 }, (t) => soundRun(t))
t.test('a locked gateway survives everything', { timeout: 100_000 }, (t) => soundRun(t, '--locked'))
