/** docs/llm.md: its numbers and tables are those of the code, its links lead somewhere, its recipes are tried. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { createRetention } from '../../src/config/retention.js'
import { loadConfig } from '../../src/config.js'
import { readUpstreams } from '../../src/relay/read-upstreams.js'
import { UpstreamsError } from '../../src/relay/upstreams-error.js'
import { formatOf } from '../../src/runs/formats.js'
import { KEEP_MS, KEYED_MS, LEASE_MS, RENEW_MS, SWEEP_MS } from '../../src/runs/limits.js'
import type { RunFormat } from '../../src/runs/run.js'
import { readChapter, readChapters } from '../support/page.js'
import { configFile, PAGE, secrets } from './support/llm.js'

const docs = new URL('../../docs/', import.meta.url)
const page = readFileSync(new URL(PAGE, docs), 'utf8')
const textOf = (title: string) => readChapter(PAGE, title).text
/** Cells of a table's rows, its head left out. */
const rowsOf = (title: string): string[][] =>
  textOf(title)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))

t.test('every chapter with something to run has a test that reads it', async (t) => {
  const here = new URL('./', import.meta.url)
  const sources = readdirSync(here, { recursive: true, encoding: 'utf8' })
    .filter((file) => /llm.*\.ts$|chat\.ts$/.test(file))
    .map((file) => readFileSync(new URL(file, here), 'utf8'))
    .join('')
  const recipes = readChapters(PAGE).filter(({ code }) => code.some(({ language }) => language))
  t.equal(recipes.length, 13)
  for (const { title } of recipes) {
    const named = ["'", '`'].map((quote) => `${quote}${title}${quote}`)
    t.ok(
      named.some((it) => sources.includes(it)),
      title,
    )
  }
})

t.test('the settings of upstreams are those of the table, with its defaults', async (t) => {
  const rows = rowsOf('Upstreams')
  const reads = (upstream: object) => readUpstreams({ a: upstream }, secrets())
  const keys = rows.map(([key]) => key?.replaceAll('`', ''))
  const fault = new UpstreamsError('a: there is no key "odd"', `the keys are ${keys.join(', ')}`)
  t.throws(() => reads({ odd: 1 }), fault)
  const written = Object.fromEntries(
    rows
      .slice(3, 6)
      .map(([key = '', fallback = '']) => [key.replaceAll('`', ''), fallback.replaceAll('`', '')]),
  )
  const [, wild = ''] = /`(POST \/v1beta[^`]*)`/.exec(textOf('Upstreams')) ?? []
  const least = { url: 'http://127.0.0.1', allow: [wild, 'GET /v1/**'] }
  t.same(reads({ ...least, ...written }), reads(least))
  const { upstreams } = JSON.parse(configFile('http://127.0.0.1'))
  t.same([...readUpstreams(upstreams, secrets()).keys()], ['openai', 'anthropic'])
  t.throws(() => readUpstreams(upstreams, {}), /which is not set/)
})

t.test('the numbers are those of the code', async (t) => {
  t.match(textOf('Push'), `leaves the run for ${LEASE_MS / 1000} s`)
  t.match(textOf('When something dies'), `every ${RENEW_MS / 1000} s`)
  t.match(textOf('When something dies'), `for ${LEASE_MS / 1000} s is gone`)
  t.ok(LEASE_MS + SWEEP_MS < 20_000, 'within 20 s')
  t.match(textOf('State'), `kept for ${KEEP_MS / 86_400_000} days`)
  t.match(textOf('The relay'), `for ${KEYED_MS / 3_600_000} hours the same key`)
  const { maxEvents } = createRetention(loadConfig())('run:a')
  t.match(textOf('Limits and costs'), `its last ${maxEvents.toLocaleString('en')} events`)
})

t.test('ends look as the table says', async (t) => {
  const rows = rowsOf('How an end looks')
  t.equal(rows.length, 5)
  const fault = { code: 'producer_gone', message: 'Its producer is gone' }
  for (const [name = '', broken = '', stopped = ''] of rows) {
    const format = formatOf(name.replaceAll('`', '') as RunFormat)
    const ends = [format.broken(fault, 1), format.aborted(1)]
    for (const [i, events] of ends.entries()) {
      const said = stopped.startsWith('the same') ? broken : [broken, stopped][i]!
      const [first, last] = [events[0]!, events.at(-1)!]
      t.equal(first.name, /event: (\w+)/.exec(said)?.[1] ?? 'message', `${name} ${i}`)
      if (said.includes('[DONE]')) t.equal(last.data, '[DONE]')
      else t.equal(events.length, 1)
    }
    if (stopped.startsWith('the same')) t.match(ends[1]![0]!.data, '"code":"aborted"')
    else if (name !== '`plain`') t.equal(`\`${ends[1]![0]!.data}\``, stopped.split(',')[0])
    if (name !== '`ai-sdk`') t.match(ends[0]![0]!.data, '"code":"producer_gone"')
  }
})

t.test('links from it and to it lead somewhere', async (t) => {
  const anchors = (name: string) =>
    readChapters(name).map(({ title }) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    )
  for (const [, target = ''] of page.matchAll(/\]\((?!https:)([^)]*)\)/g)) {
    const [file = '', anchor] = target.split('#')
    t.ok(existsSync(new URL(file || PAGE, docs)), target)
    if (anchor) t.ok(anchors(file || PAGE).includes(anchor), target)
  }
  for (const name of ['operating.md', 'protocol.md', 'security.md', '../README.md']) {
    const text = readFileSync(new URL(name, docs), 'utf8')
    for (const [, anchor = ''] of text.matchAll(/llm\.md#([^)]*)\)/g)) {
      t.ok(anchors(PAGE).includes(anchor), `${name}: ${anchor}`)
    }
  }
})
