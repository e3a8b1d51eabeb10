/** docs/security.md: its tables are those of the code, its links lead somewhere. The recipes have tests of their own. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { OPTIONS } from '../../src/config.js'
import {
  LIMITS,
  MAX_SUBJECT_LENGTH,
  MAX_TOKEN_LENGTH,
  TICKET_MAX_TTL_MS,
  TICKET_REDEEM_MS,
} from '../../src/limits.js'
import { readChapter, readChapters } from '../support/page.js'

const docs = new URL('../../docs/', import.meta.url)
const page = readFileSync(new URL('security.md', docs), 'utf8')
const limits = readChapter('security.md', 'Limits').text

t.test('every limit has its row, in the words of the code', async (t) => {
  const rows = limits.split('\n').filter((line) => line.startsWith('| `SLUICE_'))
  const expected = Object.entries(LIMITS).map(([name, { fallback, stops, answer }]) => {
    const variable = OPTIONS.find(({ key }) => key === name)?.variable
    return `| \`${variable}\` | \`${fallback}\` | ${stops} | ${answer} |`
  })
  t.strictSame(rows, expected)
})

t.test('the limits that are no options are those of the code', async (t) => {
  t.match(limits, `${MAX_TOKEN_LENGTH.toLocaleString('en')} characters`)
  t.match(limits, `subject ${MAX_SUBJECT_LENGTH} `)
  t.match(limits, `${TICKET_REDEEM_MS / 1000} seconds`)
  t.match(limits, `${TICKET_MAX_TTL_MS / 3_600_000} hours`)
})

t.test('every recipe has a test that reads it', async (t) => {
  const tests = new URL('../recipes/', import.meta.url)
  const files = readdirSync(tests, { recursive: true, encoding: 'utf8' })
  const sources = files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(new URL(file, tests), 'utf8'))
  const recipes = readChapters('security.md').filter(({ code }) =>
    code.some(({ language }) => language !== ''),
  )
  for (const { title } of recipes) {
    t.ok(
      sources.some((source) => source.includes(`readChapter(PAGE, '${title}')`)),
      title,
    )
  }
})

t.test('every variable there is named like an option', async (t) => {
  const known = [...OPTIONS.map(({ variable }) => variable), 'SLUICE_URL', 'SLUICE_TOKEN']
  for (const [name] of page.matchAll(/SLUICE_[A-Z_]+/g)) t.ok(known.includes(name), name)
})

const anchors = (name: string) =>
  readChapters(name).map(({ title }) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

t.test('its links lead somewhere', async (t) => {
  for (const [, target = ''] of page.matchAll(/\]\((?!https:)([^)]*)\)/g)) {
    const [file = '', anchor] = target.split('#')
    t.ok(existsSync(new URL(file || 'security.md', docs)), target)
    if (anchor) t.ok(anchors(file || 'security.md').includes(anchor), target)
  }
})

t.test('links to it lead somewhere', async (t) => {
  for (const name of ['operating.md', 'protocol.md']) {
    const text = readFileSync(new URL(name, docs), 'utf8')
    for (const [, anchor = ''] of text.matchAll(/\(security\.md#([^)]*)\)/g)) {
      t.ok(anchors('security.md').includes(anchor), `${name}: ${anchor}`)
    }
  }
})
