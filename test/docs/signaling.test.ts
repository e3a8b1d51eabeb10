/** docs/signaling.md, and the chapter on rooms in docs/protocol.md: their examples and numbers are those of the code. */
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { readIceServers } from '../../src/rooms/ice-read.js'
import * as limits from '../../src/rooms/limits.js'
import { BYE_REASONS } from '../../src/wire/control.js'
import { visitor } from '../routes/support/rooms.js'
import { start } from '../routes/support/start.js'
import { codeIn, readChapter, readChapters } from '../support/page.js'

const docs = new URL('../../docs/', import.meta.url)
const secrets = { TURN_SECRET: 'north' }
const configuration = () => JSON.parse(codeIn(readChapter('signaling.md', 'Relays'), 'json')[0]!)

t.test('the configuration of the page is one', async (t) => {
  const { servers, ttlMs } = readIceServers(configuration().iceServers, secrets)
  t.equal(servers.length, 2)
  t.equal(ttlMs, 3_600_000)
})

t.test('the answer of a join has the members that the page shows', async (t) => {
  const chapter = readChapter('protocol.md', 'Joining: `POST /v1/rooms/{room}/participants`')
  const shown = JSON.parse(codeIn(chapter, 'json')[0]!)
  const { servers } = configuration().iceServers
  servers[1].secret = 'north'
  const { url } = await start(t, { iceServers: { servers } })
  const one = visitor(url)
  const { json } = await one.join('standup', { participant: 'alice', data: { name: 'Alice' } })
  const members = (value: object) => Object.keys(value).sort()
  t.same(members(json), members(shown))
  t.same(members(json.room), members(shown.room))
  t.same(members({ ...json.participant, sender: '' }), members(shown.participant))
})

t.test('its numbers are those of the code', async (t) => {
  const page = readFileSync(new URL('protocol.md', docs), 'utf8')
  const chapter = page.slice(page.indexOf('## Rooms and signals'), page.indexOf('## Who may do'))
  for (const text of [
    `up to ${limits.DATA_BYTES / 1024} KiB`,
    `up to ${limits.SIGNAL_BYTES / 1024} KiB`,
    `an array of up to ${limits.MAX_SIGNALS}:`,
    `a list of up to ${limits.MAX_CANDIDATES}`,
    `1–${limits.MAX_MESSAGE_ID} visible`,
    `up to ${limits.MAX_TYPE} characters`,
    `1–${limits.MAX_PARTICIPANTS.toLocaleString('en')}`,
    `up to ${limits.MAX_MODERATORS} subjects`,
    `up to ${limits.MAX_BAN_MS / 3_600_000} hours`,
  ]) {
    t.match(chapter, text)
  }
})

t.test('every reason for which a stream ends is told', async (t) => {
  const { text } = readChapter('protocol.md', 'Control events')
  const table = text.slice(text.indexOf('Reasons of `stream.bye`'))
  const named = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, names]) =>
    [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
  )
  t.same(named.sort(), [...BYE_REASONS].sort())
})

t.test('its links lead somewhere', async (t) => {
  const page = readFileSync(new URL('signaling.md', docs), 'utf8')
  for (const [, target = ''] of page.matchAll(/\]\((?!https:)([^)]*)\)/g)) {
    const [file = '', anchor] = target.split('#')
    t.ok(existsSync(new URL(file || 'signaling.md', docs)), target)
    if (!anchor) continue
    const anchors = readChapters(file || 'signaling.md').map(({ title }) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    )
    t.ok(anchors.includes(anchor), target)
  }
})
