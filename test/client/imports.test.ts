import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const folder = new URL('../../src/client/', import.meta.url)

t.test(
  'the client runs in a browser: it needs the wire and the parser, and nothing of Node',
  async (t) => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    for (const name of files.filter((each) => each.endsWith('.ts'))) {
      const text = readFileSync(new URL(name, folder), 'utf8')
      for (const [, from] of text.matchAll(/^(?:import|export|\}).* from '([^']+)'$/gm)) {
        t.match(
          from,
          /^(\.\/|(\.\.\/)+wire\/|\.\.\/[\w-]+\.js$|eventsource-parser$)/,
          `${name}: ${from}`,
        )
      }
      t.notMatch(text, /\b(process|Buffer|require)\b[.(]/, name)
    }
  },
)
