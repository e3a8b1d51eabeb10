/**
 * Runs tap and prints one line for each file that passes, everything for each that fails, and at the
 * end the sum as `N passed, N failed`. tap's own reporters for people redraw the screen, which makes
 * a log unreadable. Arguments go to `tap run`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

// tap brings a loader for TypeScript that .taprc leaves out. It would notice by itself, but only for the next run.
const parts = 'node_modules/@tapjs/test/test-built/dist/esm/index.js'
if (readFileSync(parts, 'utf8').includes('@tapjs/typescript')) {
  spawnSync(process.execPath, ['node_modules/.bin/tap', 'build'], { stdio: 'ignore' })
}

const tap = spawn(
  process.execPath,
  ['node_modules/.bin/tap', 'run', '--reporter=tap', '--no-color', ...process.argv.slice(2)],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)

console.log(`# Node ${process.version}`)
/** Lines of the file that is under way. */
let held = []
/** `skip`: inside a passed file's braces. `show`: after a failed file's line. */
let mode = 'hold'
let total
const failed = []

for await (const line of createInterface({ input: tap.stdout })) {
  const result = /^(not )?ok \d+ - (.*?)(?: \{)?$/.exec(line)
  const sum = /^# \{ total: .*\}$/.exec(line)
  if (sum !== null) total = line
  if (result !== null) {
    const [, not, name] = result
    if (not === undefined) console.log(`ok - ${name}`)
    else {
      failed.push(name)
      for (const one of [...held, line]) console.log(one)
    }
    held = []
    mode = not !== undefined ? 'show' : line.endsWith('{') ? 'skip' : 'hold'
  } else if (line.startsWith('# ') && !line.startsWith('# Subtest')) {
    console.log(line)
  } else if (line.startsWith('# Subtest')) {
    mode = 'hold'
    held = [line]
  } else if (mode === 'skip') {
    if (line === '}') mode = 'hold'
  } else if (mode === 'show') console.log(line)
  else held.push(line)
}
const code = tap.exitCode ?? (await new Promise((resolve) => tap.once('exit', resolve)))

// What a run that was cut short left behind.
if (total === undefined) for (const line of held) console.log(line)
for (const name of failed) console.log(`not ok - ${name}`)

const count = (what) => Number(new RegExp(`\\b${what}: (\\d+)`).exec(total ?? '')?.[1] ?? 0)
const passed = count('pass')
// A file that fails without a failing assertion, or no file at all, is a failure too.
const broken = code !== 0 || passed === 0
const failures = Math.max(count('fail'), failed.length, broken ? 1 : 0)
console.log(`${passed} passed, ${failures} failed`)
process.exitCode = failures > 0 ? 1 : 0
