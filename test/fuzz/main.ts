/** `npm run fuzz`: everything that isn't a proper request, for a while. Exit code 1 on any complaint. */
import { readOrExit, startLongRun } from '../support/long-run.js'
import { type Options, readOptions, USAGE } from './options.js'
import { runFuzz } from './run.js'

const options = readOrExit<Options>(readOptions, USAGE)
const run = startLongRun()
const ok = await fuzz(options)
await run.cleanUp()
// What fails because its ground was taken away is no news.
if (run.interrupted) await new Promise(() => {})
process.exit(ok ? 0 : 1)

async function fuzz(options: Options): Promise<boolean> {
  const { seed, locked } = options
  console.log(`fuzz, ${locked ? 'locked' : 'open'}, seed ${seed}`)
  try {
    const { count, kinds, kept } = await runFuzz(options, run.undo)
    console.log(`  complaints   ${count === 0 ? 'none' : count}`)
    for (const [kind, n] of kinds) console.log(`${kind}: ${n}`)
    for (const { kind, what } of kept) console.log(`\n${kind}: ${what}`)
    console.log(`\nseed ${seed}: ${count === 0 ? 'all is well' : 'FAILED'}`)
    return count === 0
  } catch (error) {
    if (!run.interrupted) console.error(error)
    return false
  }
}
