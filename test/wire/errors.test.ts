import { readFileSync } from 'node:fs'
import t from 'tap'
import { ERROR_TABLE, type ErrorCode, SluiceError } from '../../src/wire/errors.js'

const codes = Object.keys(ERROR_TABLE) as ErrorCode[]

t.test('every code has a whole problem document', async (t) => {
  for (const code of codes) {
    const error = new SluiceError(code)
    const problem = error.toProblem()
    const row = ERROR_TABLE[code]
    t.match(code, /^[a-z]+(_[a-z]+)*$/)
    t.ok(row.status >= 400 && row.status <= 599, `${code} has an error status`)
    // RFC 9457 § 3.1, then our own members. A type is a URI; ours names no place to fetch.
    t.strictSame(Object.keys(problem).sort(), [
      'code',
      'detail',
      'retryable',
      'status',
      'title',
      'type',
    ])
    t.equal(new URL(problem.type).href, `urn:sluice:error:${code}`)
    t.equal(problem.title, row.title)
    t.equal(problem.status, row.status)
    t.equal(problem.code, code)
    t.equal(problem.retryable, row.retryable === true)
    t.match(problem.detail, /\S\.$|…$/, `${code} says what to do`)
    t.strictSame(JSON.parse(JSON.stringify(problem)), problem)
  }
})

t.test('what may be repeated says when, what may not says nothing', async (t) => {
  for (const code of codes) {
    const { retryable, retryAfter } = new SluiceError(code)
    t.equal(retryAfter, retryable ? 1 : undefined, code)
  }
  t.equal(new SluiceError('overloaded', { retryAfter: 30 }).retryAfter, 30)
})

t.test('the detail says what is wrong here, then what to do', async (t) => {
  const { detail } = new SluiceError('channel_invalid', { detail: '“a b” has a space' }).toProblem()
  t.equal(detail, `“a b” has a space. ${ERROR_TABLE.channel_invalid.advice}`)
})

t.test('an extension adds members and overrides none', async (t) => {
  const extensions = {
    appended: 3,
    type: 'about:blank',
    title: 'x',
    status: 200,
    code: 'fine',
    detail: 'x',
    retryable: 'x',
  }
  const problem = new SluiceError('event_invalid', { extensions }).toProblem()
  t.strictSame(problem, { ...new SluiceError('event_invalid').toProblem(), appended: 3 })
})

t.test('the cause stays inside', async (t) => {
  const error = new SluiceError('internal', { cause: new Error('secret at /home') })
  t.notMatch(JSON.stringify(error.toProblem()), /secret/)
  t.match(error.cause, { message: 'secret at /home' })
  t.ok(error instanceof Error)
})

t.test('the protocol page lists every code with its status, and no other', async (t) => {
  const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| (yes|no) \|/gm)]
  const listed = rows.map(([, code, status, retryable]) => `${code} ${status} ${retryable}`)
  const known = codes.map((code) => {
    const { status, retryable } = ERROR_TABLE[code]
    return `${code} ${status} ${retryable ? 'yes' : 'no'}`
  })
  t.strictSame(listed.sort(), known.sort())
})
