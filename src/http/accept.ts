/** Content negotiation between the two things an event resource can be (RFC 9110 § 12.5.1). */

export type Representation = 'sse' | 'json'

const RANGES: Record<Representation, readonly string[]> = {
  sse: ['text/event-stream', 'text/*', '*/*'],
  json: ['application/json', 'application/*', '*/*'],
}

/** How much a representation is wanted, and by how specific a name (0 = its own). */
interface Wish {
  readonly quality: number
  readonly rank: number
}

/** What the client wants most; undefined: neither. Without a preference it is the stream. */
export function negotiate(accept: string | undefined): Representation | undefined {
  if (accept === undefined || accept.trim() === '') return 'sse'
  const qualities = new Map<string, number>()
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    qualities.set(type, q === undefined ? 1 : Number(q.slice(2)) || 0)
  }
  const sse = wishFor('sse', qualities)
  const json = wishFor('json', qualities)
  if (sse.quality === 0 && json.quality === 0) return undefined
  if (sse.quality !== json.quality) return sse.quality > json.quality ? 'sse' : 'json'
  // Who takes anything but says one by its name means that one.
  return sse.rank <= json.rank ? 'sse' : 'json'
}

/** The most specific range counts, also where it says 0: "not this". */
function wishFor(representation: Representation, qualities: ReadonlyMap<string, number>): Wish {
  const rank = RANGES[representation].findIndex((range) => qualities.has(range))
  return { quality: qualities.get(RANGES[representation][rank] ?? '') ?? 0, rank }
}

/** Whether the client says the words: a native EventSource does, and it never retries after any status but 200. */
export function namesEventStream(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/event-stream') === true
}
