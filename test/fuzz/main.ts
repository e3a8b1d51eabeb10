/** `npm run fuzz`: everything that isn't a proper request, for a while. Exit code 1 on any complaint. */
import { type Options, readOptions, USAGE } from './options.js'
import { runFuzz } from './run.js'

const options = (() => {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    process.exit(2)
  }
})()
if (options === 'help') {
  console.log(USAGE)
  process.exit(0)
}

const undo: (() => Promise<void> | void)[] = []
/** What was started last goes first; one that fails keeps none of the others. */
async function cleanUp(): Promise<void> {
  for (const each of undo.splice(0).reverse()) {
    try {
      await each()
    } catch (error) {
      console.error(error)
    }
  }
}

let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // A second one doesn't wait: the kernel ends the gateway with us.
    if (interrupted) process.exit(130)
    interrupted = true
    void cleanUp().then(() => process.exit(130))
  })
}

const ok = await fuzz(options)
await cleanUp()
// What fails because its ground was taken away is no news.
if (interrupted) await new Promise(() => {})
process.exit(ok ? 0 : 1)

async function fuzz(options: Options): Promise<boolean> {
  const { seed, locked } = options
  console.log(`fuzz, ${locked ? 'locked' : 'open'}, seed ${seed}`)
  try {
    const { count, kinds, kept } = await runFuzz(options, (what) => undo.push(what))
    console.log(`  complaints   ${count === 0 ? 'none' : count}`)
    for (const [kind, n] of kinds) console.log(`${kind}: ${n}`)
    for (const { kind, what } of kept) console.log(`\n${kind}: ${what}`)
    console.log(`\nseed ${seed}: ${count === 0 ? 'all is well' : 'FAILED'}`)
    return count === 0
  } catch (error) {
    if (!interrupted) console.error(error)
    return false
  }
}
