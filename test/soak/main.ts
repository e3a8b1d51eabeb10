/** `npm run soak`: many faults, long enough for the rare ones to meet. Exit code 1 on any complaint. */
import { readOrExit, startLongRun } from '../support/long-run.js'
import { type Options, readOptions, TOPOLOGIES, USAGE } from './options.js'
import { runTopology } from './run.js'

const options = readOrExit<Options>(readOptions, USAGE)
const run = startLongRun()
const share = options.ms / options.topologies.length
let ok = true
for (const topology of options.topologies) {
  try {
    ok = (await runTopology(topology, share, options, run.undo)).ok && ok
  } catch (error) {
    // What fails because its ground was taken away is no news.
    if (run.interrupted) await new Promise(() => {})
    console.error(error)
    ok = false
  }
  await run.cleanUp()
}
if (!run.interrupted) {
  const topologies =
    options.topologies.length === TOPOLOGIES.length ? 'all topologies' : options.topologies
  console.log(
    `\n${topologies}, ${options.mode}, seed ${options.seed}: ${ok ? 'all is well' : 'FAILED'}`,
  )
  process.exit(ok ? 0 : 1)
}
