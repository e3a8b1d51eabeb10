/** The headers that an upstream gets with each request, with their secrets. */
import { validateHeaderValue } from 'node:http'
import { type Environment, expandVariables } from '../environment.js'
import { isOfConnection } from './headers.js'
import { EXAMPLE, type Fail, isObject, quoted } from './upstreams-error.js'

/** Names in lower case, values with the variables of `env` in their places. */
export function readHeaders(value: unknown, env: Environment, fail: Fail): Record<string, string> {
  if (!isObject(value)) return fail('its headers are no object', EXAMPLE)
  const headers: Record<string, string> = {}
  for (const [written, text] of Object.entries(value)) {
    const name = written.toLowerCase()
    // RFC 9110 § 5.6.2: a token.
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) {
      fail(`${quoted(written)} is not a header`, 'write e.g. "authorization"')
    }
    if (isOfConnection(name)) {
      fail(`the header ${name} is the gateway’s own`, 'leave it out: each request gets its own')
    }
    if (Object.hasOwn(headers, name)) fail(`the header ${name} stands there twice`, 'remove one')
    if (typeof text !== 'string') fail(`the header ${name} is no text`, 'write a text')
    headers[name] = headerText(name, String(text), env, fail)
  }
  return headers
}

/** A secret that stands in the file itself is taken as it is; the environment is the better place. */
function headerText(name: string, text: string, env: Environment, fail: Fail): string {
  const expanded = expandVariables(text, env)
  if (expanded === 'odd') {
    return fail(
      `the header ${name} has a $ that names no variable`,
      'write $NAME, or $$ for a dollar',
    )
  }
  if ('missing' in expanded) {
    return fail(
      `the header ${name} wants the variable ${expanded.missing}, which is not set`,
      `set ${expanded.missing} in the gateway’s environment`,
    )
  }
  const { text: value } = expanded
  try {
    validateHeaderValue(name, value)
    return value
  } catch {
    // Node's own words would do, but might hold the value one day.
    return fail(
      `the header ${name} has characters that no header carries`,
      'look for a line end at the end of the secret',
    )
  }
}
