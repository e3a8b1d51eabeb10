/**
 * Loaded into the gateway beside itself (`--import`): on SIGWINCH, which means nothing to a server, it has
 * V8 collect all garbage and says what is left. V8 itself gives memory back when it likes, tens of
 * megabytes sooner or later, and a leak must be told from that.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')

process.on('SIGWINCH', async () => {
  // In turns of their own: what the stack still points to, or a finalizer lets go of, goes in the next.
  for (let i = 0; i < 3; i++) {
    gc()
    await new Promise(setImmediate)
  }
  const { heapUsed, external } = process.memoryUsage()
  console.log(JSON.stringify({ level: 20, msg: 'collected', used: heapUsed + external }))
})
