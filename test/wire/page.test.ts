/** What docs/protocol.md shows is what the code writes. */
import { readFileSync } from 'node:fs'
import { createParser } from 'eventsource-parser'
import t from 'tap'
import type { ByeReason, ControlName, GapReason } from '../../src/wire/control.js'
import { formatCursor, MAX_CURSOR_LENGTH } from '../../src/wire/cursor.js'
import { eventJson, type StoredEvent } from '../../src/wire/event.js'
import { eventBlockWithId } from '../../src/wire/sse.js'

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
const EVENT: StoredEvent = {
  channel: 'chat:7',
  name: 'token',
  data: '{"text":"Hel"}',
  sender: undefined,
  order: 1763675123456 * 4096,
  tag: 13,
}

/** Bodies of the page's code blocks of a language. */
const blocks = (language: string): string[] =>
  [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] ?? '')

t.test('the events shown are written like that', async (t) => {
  t.ok(blocks('').includes(eventBlockWithId(EVENT, 'envelope')))
  t.ok(blocks('').includes(eventBlockWithId(EVENT, 'raw')))
  const poll = blocks('json').find((text) => text.includes('"events": ['))
  t.strictSame(JSON.parse(poll ?? '{}').events, [JSON.parse(eventJson(EVENT))])
})

t.test('the cursors shown are written like that', async (t) => {
  const cursor = new Map([[0, { order: EVENT.order, tag: EVENT.tag }]])
  t.match(page, `\`${formatCursor(cursor, 1)}\``)
  t.match(page, `\`${formatCursor(cursor, 4)}\``)
  t.match(page, `at most ${MAX_CURSOR_LENGTH.toLocaleString('en')} characters`)
})

t.test('every JSON shown is JSON, every frame shown is a whole frame', async (t) => {
  for (const text of blocks('json')) t.type(JSON.parse(text), 'object')
  let frames = 0
  const parser = createParser({
    onEvent: ({ data }) => t.type(JSON.parse(data), 'object', `frame ${++frames}`),
  })
  for (const text of blocks('')) if (/^(id|retry|event|data):/.test(text)) parser.feed(text)
  t.equal(frames, page.match(/^data: /gm)?.length)
})

t.test('every control event and every reason has its row', async (t) => {
  // Records, so that the compiler finds one that is missing here.
  const names: Record<ControlName, true> = {
    'stream.ready': true,
    'stream.live': true,
    'stream.heartbeat': true,
    'stream.gap': true,
    'stream.end': true,
    'stream.expiring': true,
    'stream.bye': true,
  }
  const gaps: Record<GapReason, true> = {
    trimmed: true,
    expired: true,
    deleted: true,
    lost: true,
    unknown: true,
    withheld: true,
  }
  // The others are kept for what doesn't exist yet.
  const byes: Exclude<ByeReason, 'replaced'>[] = [
    'draining',
    'max_age',
    'slow',
    'token_expired',
    'revoked',
  ]
  for (const word of [...Object.keys(names), ...Object.keys(gaps), ...byes]) {
    t.ok(page.includes(`\n| \`${word}\` |`), word)
  }
})

t.test('the links inside the page lead somewhere', async (t) => {
  const anchors = new Set(
    [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
  for (const [, anchor = ''] of page.matchAll(/\]\(#([^)]*)\)/g)) t.ok(anchors.has(anchor), anchor)
})
