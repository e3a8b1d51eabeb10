/**
 * Raw members of a JSON text: `data` must go on exactly as it came (1.0, 12345678901234567890, the
 * spelling of escapes), which JSON.parse forgets and JSON.stringify can't bring back.
 *
 * Works on texts that JSON.parse has accepted: what is skipped here is known to be well formed, so
 * skipping is a matter of strings and brackets. Rejected: a full parser of our own (slower than
 * JSON.parse plus this by a factor, and a second opinion on what is valid).
 */

/** Index of the first character after white space (RFC 8259 § 2). */
function skipSpace(text: string, at: number): number {
  let i = at
  for (;;) {
    const c = text.charCodeAt(i)
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return i
    i++
  }
}

/** Index after the string whose opening quote is at `at`. */
function skipString(text: string, at: number): number {
  let i = at
  for (;;) {
    i = text.indexOf('"', i + 1)
    let backslashes = 0
    while (text.charCodeAt(i - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return i + 1
  }
}

/** Index after the value that starts at `at`. */
function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at)
  if (first === 0x22) return skipString(text, at)
  let i = at
  if (first !== 0x7b && first !== 0x5b) {
    // A number or literal: up to white space, a comma or a closing bracket.
    while (i < text.length && !/[\s,\]}]/.test(text[i]!)) i++
    return i
  }
  let depth = 0
  for (;;) {
    const c = text.charCodeAt(i)
    if (c === 0x22) {
      i = skipString(text, i)
      continue
    }
    if (c === 0x7b || c === 0x5b) depth++
    else if (c === 0x7d || c === 0x5d) {
      depth--
      if (depth === 0) return i + 1
    }
    i++
  }
}

/**
 * The raw text of each member of an object. A repeated name: the last one wins, as in JSON.parse.
 * `text` must be the valid JSON of an object.
 */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>()
  let i = skipSpace(text, skipSpace(text, 0) + 1)
  while (text.charCodeAt(i) !== 0x7d) {
    const nameEnd = skipString(text, i)
    const name = JSON.parse(text.slice(i, nameEnd)) as string
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const end = skipValue(text, start)
    members.set(name, text.slice(start, end))
    i = skipSpace(text, end)
    if (text.charCodeAt(i) === 0x2c) i = skipSpace(text, i + 1)
  }
  return members
}

/** The raw text of each element of an array. `text` must be the valid JSON of an array. */
export function rawElements(text: string): string[] {
  const elements: string[] = []
  let i = skipSpace(text, skipSpace(text, 0) + 1)
  while (text.charCodeAt(i) !== 0x5d) {
    const end = skipValue(text, i)
    elements.push(text.slice(i, end))
    i = skipSpace(text, end)
    if (text.charCodeAt(i) === 0x2c) i = skipSpace(text, i + 1)
  }
  return elements
}
