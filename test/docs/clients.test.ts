/** docs/clients.md: its tables are those of the code, its links lead somewhere, its examples have tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { MAX_WAITING } from '../../src/client/outbox.js'
import { readChapter, readChapters } from '../support/page.js'

const docs = new URL('../../docs/', import.meta.url)
const source = (name: string) => readFileSync(new URL(`../../src/${name}`, import.meta.url), 'utf8')

/** What an interface has, by the names in its text. */
function membersOf(file: string, name: string): string[] {
  const [, body = ''] =
    new RegExp(`interface ${name}\\b.*?{\n(.*?)\n}`, 's').exec(source(file)) ?? []
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(<]/gm)].map(([, member]) => member!)
}

/** The names in the first column of a chapter's table. */
function rowsOf(chapter: string): string[] {
  const rows = readChapter('clients.md', chapter).text.matchAll(/^\| (`.*?`) \|/gm)
  return [...rows].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name!),
  )
}

const tables: [chapter: string, file: string, name: string][] = [
  ['Connecting', 'client/types.ts', 'ConnectOptions'],
  ['Reading', 'client/types.ts', 'SubscribeOptions'],
  ['Publishing', 'client/outbox.ts', 'Outgoing'],
  ['History', 'client/types.ts', 'HistoryOptions'],
]
for (const [chapter, file, name] of tables) {
  t.test(`every option has its row: ${chapter}`, async (t) => {
    const members = membersOf(file, name)
    t.ok(members.length > 2)
    t.strictSame(rowsOf(chapter).sort(), members.sort())
  })
}

t.test('every state has its row', async (t) => {
  const [, union = ''] = /type ClientState =\n(.*?)\n\n/s.exec(source('client/machine.ts')) ?? []
  const states = [...union.matchAll(/state: '(\w+)'/g)].map(([, state]) => state)
  t.equal(states.length, 7)
  t.strictSame(rowsOf('States'), states)
})

t.test('what a client, a presence and a snapshot have is named', async (t) => {
  const { text } = readChapter('clients.md', 'Connecting')
  for (const name of membersOf('client/types.ts', 'Client')) t.match(text, `\`${name}`, name)
  const presence = membersOf('client/types.ts', 'Presence').filter((name) => name !== 'channel')
  t.strictSame(rowsOf('Presence').sort(), presence.sort())
  const react = readChapter('clients.md', 'React').text
  for (const name of membersOf('react/channel.ts', 'ChannelOptions')) {
    t.match(react, `\`${name}\``, name)
  }
  t.match(react, `{${membersOf('react/channel.ts', 'ChannelSnapshot').join(', ')}}`)
})

t.test('its numbers are those of the code', async (t) => {
  t.match(readChapter('clients.md', 'Publishing').text, MAX_WAITING.toLocaleString('en'))
})

t.test('every whole example has a test that reads it', async (t) => {
  const tests = new URL('../recipes/', import.meta.url)
  const sources = readdirSync(tests)
    .filter((name) => name.startsWith('clients-'))
    .map((name) => readFileSync(new URL(name, tests), 'utf8'))
  // What stands in the middle of something else: a loop, an option.
  const parts = ['Reading', 'Tokens']
  for (const { title, code } of readChapters('clients.md')) {
    if (code.length === 0 || parts.includes(title)) continue
    t.ok(
      sources.some((text) => text.includes(`'${title}'`)),
      title,
    )
  }
})

t.test('its links lead somewhere', async (t) => {
  const page = readFileSync(new URL('clients.md', docs), 'utf8')
  for (const [, target = ''] of page.matchAll(/\]\((?!https?:)([^)]*)\)/g)) {
    const [file = '', anchor] = target.split('#')
    t.ok(existsSync(new URL(file || 'clients.md', docs)), target)
    if (anchor) t.ok(anchorsOf(file || 'clients.md').includes(anchor), target)
  }
})

function anchorsOf(name: string): string[] {
  return readChapters(name).map(({ title }) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
