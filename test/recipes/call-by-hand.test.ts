/** docs/signaling.md, "How a call comes about": both terminals, as they stand there. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import t from 'tap'
import { startGatewayProcess } from '../support/gateway.js'
import { codeIn, readChapter, runShell } from '../support/page.js'

const chapter = readChapter('signaling.md', 'How a call comes about')
const [alice = '', bob = ''] = codeIn(chapter, 'sh')
const [shown = ''] = codeIn(chapter, '')

/** Names of events, and the members of what they say. */
function partsOf(text: string) {
  return [...text.matchAll(/^event: (?!stream\.)(.*)\ndata: (.*)$/gm)].map(([, event, json]) => {
    const { data, ...more } = JSON.parse(json!)
    const { participant = data } = data
    return [event, Object.keys(more), Object.keys(data), Object.keys(participant)]
  })
}

t.test('what Bob says arrives in Alice’s terminal, as the page shows it', async (t) => {
  const gateway = await startGatewayProcess({ SLUICE_DRAIN_TIME: '200ms' })
  t.teardown(gateway.stop)
  const here = (script: string) => script.replaceAll('http://127.0.0.1:8080', gateway.url)
  // The stream in place of the shell, so that nothing outlives it.
  const script = here(alice).replace('curl -N', 'exec curl -sN')
  const terminal = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-euc', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.teardown(() => terminal.kill())
  let seen = ''
  const lines = createInterface({ input: terminal.stdout })[Symbol.asyncIterator]()
  const reads = async (words: string) => {
    while (!seen.includes(words)) {
      const { value, done } = await lines.next()
      if (done) throw new Error(`the terminal ended:\n${seen}`)
      seen += `${value}\n`
    }
  }
  await reads('stream.live')
  t.match(await runShell(here(bob).replaceAll('curl ', 'curl -fsS ')), '"status":"delivered"')
  await reads('"data":"Hello"')
  t.equal(partsOf(shown).length, 2)
  t.same(partsOf(seen), partsOf(shown))
})
