/**
 * Reads answers as strictly as RFC 9112 allows to: whatever isn't exactly HTTP/1.1 throws. What a lenient
 * client forgives here, another takes for the answer to somebody else's request.
 */

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** What came of it; of streams nothing is kept. */
  readonly body: Buffer
  /** The end came, too. */
  readonly complete: boolean
  /** It has no body because it answers a HEAD. */
  readonly headOnly: boolean
}

/** Why what came is no answer. */
export class Malformed extends Error {}

export interface AnswerReader {
  readonly answers: readonly Answer[]
  /** Something is there that isn't a whole answer yet. */
  readonly pending: boolean
  /** Throws Malformed. */
  feed(chunk: Buffer): void
  /** The connection has ended, in order. Throws Malformed where that cuts an answer that may not be cut. */
  end(): void
}

export interface ReaderOptions {
  /**
   * Which answers have no body: those to HEAD. `perhaps`: whoever asks doesn't know himself what the
   * gateway takes his garbage for; then what follows decides.
   */
  readonly headOnly: 'never' | 'perhaps' | 'always'
  /** Bytes of an event stream, as they come. */
  readonly onStream?: (bytes: Buffer) => void
}

const STATUS = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]*$/
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)$/
/** Whose repetition would leave to the reader what is meant. */
const ONCE = ['content-length', 'content-type', 'transfer-encoding', 'connection', 'location']
const MAX_HEAD = 64 * 1024

type Stage =
  | { readonly at: 'head' }
  | { readonly at: 'body'; readonly length: number }
  /** The length of an answer that has a body, or answers a HEAD. */
  | { readonly at: 'perhaps'; readonly length: number }
  | { readonly at: 'chunk' }
  | { readonly at: 'rest' }

export function createAnswerReader({ headOnly, onStream }: ReaderOptions): AnswerReader {
  const answers: Answer[] = []
  let rest: Buffer = Buffer.alloc(0)
  let stage: Stage = { at: 'head' }
  let status = 0
  let headers = new Map<string, string>()
  let body: Buffer[] = []

  function finish(complete: boolean, isHeadOnly = false): void {
    answers.push({ status, headers, body: Buffer.concat(body), complete, headOnly: isHeadOnly })
    body = []
    stage = { at: 'head' }
  }

  function take(bytes: Buffer): void {
    if (headers.get('content-type')?.startsWith('text/event-stream')) onStream?.(bytes)
    else body.push(bytes)
  }

  /** What was read answers a HEAD, for the next answer follows its head. No body of ours begins like this. */
  function isNextAnswer(): boolean {
    if (headOnly !== 'perhaps' || body.length > 0) return false
    return rest.toString('latin1', 0, 5) === 'HTTP/'
  }

  /** False where more bytes are needed. */
  function step(): boolean {
    switch (stage.at) {
      case 'head':
        return readHead()
      case 'perhaps': {
        if (rest.length === 0) return false
        const { length } = stage
        if (isNextAnswer()) finish(true, true)
        else stage = { at: 'body', length }
        return true
      }
      case 'body': {
        const { length } = stage
        if (rest.length < length) return false
        take(rest.subarray(0, length))
        rest = rest.subarray(length)
        finish(true)
        return true
      }
      case 'chunk':
        return readChunk()
      case 'rest':
        if (isNextAnswer()) {
          finish(true, true)
          return true
        }
        if (rest.length > 0) take(rest)
        rest = rest.subarray(rest.length)
        return false
    }
  }

  function readHead(): boolean {
    if (rest.length === 0) return false
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) {
      const start = rest.toString('latin1', 0, 9)
      if (!'HTTP/1.1 '.startsWith(start)) throw new Malformed(`not an answer: ${excerpt(rest)}`)
      if (rest.length > MAX_HEAD) throw new Malformed('a head without an end')
      return false
    }
    const [line = '', ...fields] = rest.toString('latin1', 0, end).split('\r\n')
    const match = STATUS.exec(line)
    if (match === null) throw new Malformed(`not a status line: ${excerpt(rest)}`)
    status = Number(match[1])
    headers = readFields(fields)
    rest = rest.subarray(end + 4)
    // An interim answer: the final one is still to come (RFC 9110 § 15.2).
    if (status < 200) return true
    stage = bodyStage()
    if (stage.at === 'body' && stage.length === 0) finish(true, headOnly === 'always')
    return true
  }

  function bodyStage(): Stage {
    const encoding = headers.get('transfer-encoding')
    const length = headers.get('content-length')
    if (encoding !== undefined && length !== undefined) throw new Malformed('two kinds of framing')
    if (status === 204 || status === 304) {
      if (encoding !== undefined) throw new Malformed(`${status} with a body`)
      return { at: 'body', length: 0 }
    }
    if (headOnly === 'always') return { at: 'body', length: 0 }
    if (encoding !== undefined) {
      if (encoding !== 'chunked') throw new Malformed(`Transfer-Encoding: ${encoding}`)
      return { at: 'chunk' }
    }
    if (length === undefined) return { at: 'rest' }
    if (!/^\d{1,15}$/.test(length)) throw new Malformed(`Content-Length: ${length}`)
    return { at: headOnly === 'perhaps' ? 'perhaps' : 'body', length: Number(length) }
  }

  function readChunk(): boolean {
    if (isNextAnswer()) {
      finish(true, true)
      return true
    }
    const line = rest.indexOf('\r\n')
    if (line < 0) {
      if (rest.length > 18) throw new Malformed(`not a chunk: ${excerpt(rest)}`)
      return false
    }
    const size = rest.toString('latin1', 0, line)
    if (!/^[0-9A-Fa-f]{1,8}$/.test(size)) throw new Malformed(`not a chunk: ${excerpt(rest)}`)
    const length = Number.parseInt(size, 16)
    const end = line + 2 + length
    if (rest.length < end + 2) return false
    if (rest.toString('latin1', end, end + 2) !== '\r\n')
      throw new Malformed('a chunk without its end')
    if (length > 0) take(rest.subarray(line + 2, end))
    rest = rest.subarray(end + 2)
    if (length === 0) finish(true)
    return true
  }

  return {
    answers,
    get pending() {
      return stage.at !== 'head' || rest.length > 0
    },
    feed(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      while (step());
    },
    end() {
      switch (stage.at) {
        case 'head':
          if (rest.length > 0) throw new Malformed(`cut in a head: ${excerpt(rest)}`)
          return
        case 'rest':
          return finish(true, headOnly === 'perhaps' && body.length === 0)
        case 'perhaps':
          return finish(true, true)
        case 'chunk':
          // A stream may be cut: clients come back with their cursor.
          return finish(false, headOnly === 'perhaps' && body.length === 0 && rest.length === 0)
        case 'body':
          finish(false)
      }
    },
  }
}

function readFields(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? []
    if (name === undefined)
      throw new Malformed(`not a header: ${JSON.stringify(line.slice(0, 200))}`)
    const key = name.toLowerCase()
    const before = headers.get(key)
    if (before !== undefined && ONCE.includes(key)) throw new Malformed(`${name} twice`)
    headers.set(key, before === undefined ? value! : `${before}, ${value}`)
  }
  return headers
}

function excerpt(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 120))
}
