/**
 * Which methods and paths of an upstream may be reached. A path is compared as it came, byte for byte,
 * and sent as it was compared: nothing is decoded or normalised in between, for what two parsers read
 * differently (`%2e%2e`, `//`, `;`, `\`) is how one walks past a list like this. What has such a
 * spelling in it isn't repaired but refused.
 */

/** A line of the list, e.g. `POST /v1/chat/completions`. */
export interface Rule {
  readonly method: string
  readonly segments: readonly string[]
}

/** What the relay takes. No HEAD: its answer to a stream would be a run that nobody hears of. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * One segment: what RFC 3986 § 3.3 calls pchar, but for `;`, which some servers cut off with all after
 * it, and `*`, which rules are written with. Escapes only of `: @ + , = | ~`, which clients escape
 * without need (a model's `%3A0`) and which mean nothing to a path. Never dots alone.
 */
const SEGMENT = /^(?!\.+$)(?:[A-Za-z0-9\-._~!$&'()+,=:@]|%(?:3[AaDd]|40|2[BbCc]|7[CcEe]))+$/
/** Printable ASCII without `#`, at which some would end the query. */
const QUERY = /^[!"$-~]*$/

/** A line of the list; or why it can't be one, in words without a full stop. */
export function parseRule(line: string): Rule | string {
  const [, method = '', path = ''] = /^(\S+) \/(\S*)$/.exec(line) ?? []
  if (!METHODS.includes(method)) {
    return `it is not one of ${METHODS.join(', ')} and a path, as in "POST /v1/chat/completions"`
  }
  const segments = path.split('/')
  if (segments.slice(0, -1).includes('**')) return '** stands at the end of a path only'
  if (isWell(segments.map((segment) => segment.replace(/^\*\*$|\*/, 'x')))) {
    return { method, segments }
  }
  return 'its path has a segment that is empty, holds two *, or one of . .. ; \\ ? # or an escape, which are never passed on'
}

/** Whether a path, perhaps with a query, may be reached by one of the rules. */
export function isAllowed(rules: readonly Rule[], method: string, target: string): boolean {
  // A query is passed on unseen: it can't change the path, and upstreams need it (`?api-version=…`).
  const [, path, query = ''] = /^\/([^?]*)(?:\?(.*))?$/s.exec(target) ?? []
  if (path === undefined || !QUERY.test(query)) return false
  const segments = path.split('/')
  const fits = (rule: Rule) => rule.method === method && matches(rule.segments, segments)
  return isWell(segments) && rules.some(fits)
}

/** A path may end in a slash, if the list says so: then its last segment is empty. */
function isWell(segments: readonly string[]): boolean {
  return segments.every((segment, i) => {
    return SEGMENT.test(segment) || (segment === '' && i > 0 && i === segments.length - 1)
  })
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  const rest = pattern.at(-1) === '**'
  const fixed = rest ? pattern.slice(0, -1) : pattern
  if (rest ? segments.length < pattern.length : segments.length !== pattern.length) return false
  // `**` is one segment at least, and what follows a slash at the end is none.
  if (rest && segments.at(-1) === '') return false
  return fixed.every((wanted, i) => fits(wanted, segments[i] ?? ''))
}

/** `*` is one character or more: `models/*:generate` lets a model be chosen, and not what is done with it. */
function fits(wanted: string, segment: string): boolean {
  const [head = '', tail] = wanted.split('*')
  if (tail === undefined) return wanted === segment
  const long = segment.length > head.length + tail.length
  return long && segment.startsWith(head) && segment.endsWith(tail)
}
