/** `npm run soak`: many faults, long enough for the rare ones to meet. Exit code 1 on any complaint. */
import { readOptions, TOPOLOGIES, USAGE } from './options.js'
import { runTopology } from './run.js'

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

let undo: (() => Promise<void> | void)[] = []
/** What was started last goes first; one that fails keeps none of the others. */
async function cleanUp(): Promise<void> {
  const all = undo.reverse()
  undo = []
  for (const each of all) {
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
    // A second one doesn't wait: the kernel ends the children with us.
    if (interrupted) process.exit(130)
    interrupted = true
    console.log(`\n${signal}: stopping`)
    void cleanUp().then(() => process.exit(130))
  })
}

const share = options.ms / options.topologies.length
let ok = true
for (const topology of options.topologies) {
  try {
    ok = (await runTopology(topology, share, options, (what) => undo.push(what))).ok && ok
  } catch (error) {
    // What fails because its ground was taken away is no news.
    if (interrupted) await new Promise(() => {})
    console.error(error)
    ok = false
  }
  await cleanUp()
}
if (!interrupted) {
  const topologies =
    options.topologies.length === TOPOLOGIES.length ? 'all topologies' : options.topologies
  console.log(
    `\n${topologies}, ${options.mode}, seed ${options.seed}: ${ok ? 'all is well' : 'FAILED'}`,
  )
  process.exit(ok ? 0 : 1)
}
