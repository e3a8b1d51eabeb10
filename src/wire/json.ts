/**
 * Raw members of a JSON text: `data` must go on exactly as it came (1.0, 12345678901234567890, the
 * spelling of escapes), which JSON.parse forgets and JSON.stringify can't bring back.
 *
 * Works on texts that JSON.parse has accepted: what is skipped here is known to be well formed, so
 * skipping is a matter of strings and brackets. Rejected: a full parser of our own (slower than
 * JSON.parse plus this by a factor, and a second opinion on what is valid).
 */

/**
 * Index of the first character inside the outermost bracket. Throws where there is another one: the
 * loops below would look for a closing bracket that never comes.
 */
function openWith(text: string, bracket: '{' | '['): number {
  const at = skipSpace(text, 0)
  if (text[at] !== bracket)
    throw new TypeError(`a JSON text that begins with "${bracket}" is needed`)
  return skipSpace(text, at + 1)
}

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
    // Counted anew at each quote, yet linear: a run of backslashes is followed by one character only.
    let backslashes = 0
    while (text.charCodeAt(i - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return i + 1
  }
}

function endsScalar(c: number): boolean {
  return c <= 0x20 || c === 0x2c || c === 0x5d || c === 0x7d
}

/** Index after the value that starts at `at`. */
function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at)
  if (first === 0x22) return skipString(text, at)
  let i = at
  if (first !== 0x7b && first !== 0x5b) {
    // A number or literal. What ends it (white space, a comma, a bracket) it can't contain.
    while (i < text.length && !endsScalar(text.charCodeAt(i))) i++
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

/** A member's name. Hardly any has an escape, and then it is what stands between its quotes. */
function readName(text: string, start: number, end: number): string {
  const bare = text.slice(start + 1, end - 1)
  return bare.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : bare
}

/**
 * The raw text of each member of an object. A repeated name: the last one wins, as in JSON.parse.
 * `text` must be the valid JSON of an object.
 */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>()
  let i = openWith(text, '{')
  while (text.charCodeAt(i) !== 0x7d) {
    const nameEnd = skipString(text, i)
    const name = readName(text, i, nameEnd)
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
  let i = openWith(text, '[')
  while (text.charCodeAt(i) !== 0x5d) {
    const end = skipValue(text, i)
    elements.push(text.slice(i, end))
    i = skipSpace(text, end)
    if (text.charCodeAt(i) === 0x2c) i = skipSpace(text, i + 1)
  }
  return elements
}
