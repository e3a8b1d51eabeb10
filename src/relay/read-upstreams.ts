/** The upstreams as an operator writes them, judged. */
import { isForbiddenHost } from '../auth/targets.js'
import type { Environment } from '../environment.js'
import type { RunFormat } from '../runs/run.js'
import { parseRule, type Rule } from './paths.js'
import { DURATION, readAmount, SIZE } from './read-amount.js'
import { readHeaders } from './read-headers.js'
import type { Upstream, Upstreams } from './upstreams.js'
import { EXAMPLE, type Fail, isObject, quoted, UpstreamsError } from './upstreams-error.js'

const KEYS = ['url', 'headers', 'allow', 'headTimeout', 'idleTimeout', 'maxEventSize', 'format']
const FORMATS = Object.keys({
  'openai.chat': 0,
  'openai.responses': 0,
  anthropic: 0,
  'ai-sdk': 0,
  plain: 0,
} satisfies Record<RunFormat, 0>) as RunFormat[]

/**
 * `{name: {url, headers?, allow, headTimeout?, idleTimeout?, maxEventSize?, format?}}`, with secrets from
 * `env` where a header's value says `$NAME` or `${NAME}`. Throws an UpstreamsError.
 */
export function readUpstreams(value: unknown, env: Environment): Upstreams {
  if (!isObject(value)) throw new UpstreamsError('it is not an object', EXAMPLE)
  const upstreams = new Map<string, Upstream>()
  for (const [name, one] of Object.entries(value)) {
    if (!/^[a-z0-9-]{1,40}$/.test(name)) {
      throw new UpstreamsError(
        `${quoted(name)} is not a name for an upstream`,
        'use 1–40 of a–z 0–9 -',
      )
    }
    upstreams.set(name, readUpstream(name, one, env))
  }
  return upstreams
}

function readUpstream(name: string, value: unknown, env: Environment): Upstream {
  const fail = (fault: string, advice: string): never => {
    throw new UpstreamsError(`${name}: ${fault}`, advice)
  }
  if (!isObject(value)) return fail('it is not an object', EXAMPLE)
  const odd = Object.keys(value).find((key) => !KEYS.includes(key))
  if (odd !== undefined) fail(`there is no key ${quoted(odd)}`, `the keys are ${KEYS.join(', ')}`)
  const { format } = value
  if (format !== undefined && !FORMATS.includes(format as RunFormat)) {
    fail('there is no such format', `use ${FORMATS.join(', ')}, or leave it out`)
  }
  return {
    name,
    url: readUrl(value.url, fail),
    headers: readHeaders(value.headers ?? {}, env, fail),
    allow: readAllow(value.allow, fail),
    headTimeoutMs: readAmount('headTimeout', value.headTimeout ?? '60s', DURATION, fail),
    idleTimeoutMs: readAmount('idleTimeout', value.idleTimeout ?? '120s', DURATION, fail),
    maxEventBytes: readAmount('maxEventSize', value.maxEventSize ?? '1mb', SIZE, fail),
    ...(format !== undefined && { format: format as RunFormat }),
  }
}

function readUrl(value: unknown, fail: Fail): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return fail('its url is no URL of HTTP', 'write "url": "https://…"')
  }
  if (url.username !== '' || url.password !== '') {
    fail('its url holds credentials, and URLs get into logs', 'send them by "headers"')
  }
  if (/[?#]/.test(String(value))) {
    fail('its url has a query or a fragment', 'end it with a path: callers send queries themselves')
  }
  if (isForbiddenHost(url)) {
    fail('its url leads to a link-local address or none', 'name a server that is meant to be asked')
  }
  return url
}

function readAllow(value: unknown, fail: Fail): Rule[] {
  const advice =
    'write "allow": ["POST /v1/chat/completions", …]: what isn’t listed can’t be reached'
  if (!Array.isArray(value) || value.length === 0) return fail('it allows nothing', advice)
  return value.map((line: unknown) => {
    const rule = typeof line === 'string' ? parseRule(line) : 'it is no text'
    if (typeof rule === 'object') return rule
    return fail(`in allow, ${quoted(String(line))}: ${rule}`, advice)
  })
}
