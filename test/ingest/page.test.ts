/** The examples of docs/ingest.md, run as they stand, by the interpreters they are written for. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { startRedis } from '../support/redis.js'
import { holder, plain, startNode } from './stage.js'

const page = readFileSync(new URL('../../docs/ingest.md', import.meta.url), 'utf8')

/** Program and the argument that a text of code follows. Debian's Python: it has Debian's modules. */
const INTERPRETERS: Readonly<Record<string, readonly [string, string]>> = {
  sh: ['sh', '-ec'],
  python: ['/usr/bin/python3', '-c'],
  php: ['php', '-r'],
  ruby: ['ruby', '-e'],
}

const server = await startRedis()
t.teardown(() => server.stop())

for (const [language, [program, flag]] of Object.entries(INTERPRETERS)) {
  t.test(`what the page says in ${language} arrives by both doors`, async (t) => {
    const blocks = [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))]
    t.equal(blocks.length, 1)
    await plain(t, server.url).flushall()
    const node = await startNode(t, { url: server.url, prefix: 'sluice' })
    await holder([node])
    await node.log.follow('chat:7')
    const code = blocks[0]![1]!
      .replaceAll('6379', String(server.port))
      .replaceAll('redis-cli ', `redis-cli -p ${server.port} `)
      .replace(/^<\?php\n/, '')
    await promisify(execFile)(program, [flag, code])
    await node.heard.until(() => node.heard.entries.length === 2)
    const texts = node.heard.entries.map(
      (entry) => entry.kind === 'event' && JSON.parse(entry.data),
    )
    t.strictSame(texts, [{ text: 'Hello' }, { text: 'Hello' }])
  })
}
