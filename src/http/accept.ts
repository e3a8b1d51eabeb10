/** Content negotiation between the two things an event resource can be (RFC 9110 § 12.5.1). */

export type Representation = 'sse' | 'json'

/** What the client wants most; undefined: neither. Without a preference it is the stream. */
export function negotiate(accept: string | undefined): Representation | undefined {
  if (accept === undefined || accept === '') return 'sse'
  let sse = 0
  let json = 0
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    const quality = q === undefined ? 1 : Number(q.slice(2)) || 0
    if (type === 'text/event-stream') sse = Math.max(sse, quality + 0.0001)
    else if (type === 'application/json') json = Math.max(json, quality + 0.0001)
    else if (type === '*/*' || type === 'text/*') sse = Math.max(sse, quality)
    else if (type === 'application/*') json = Math.max(json, quality)
  }
  if (sse === 0 && json === 0) return undefined
  return sse >= json ? 'sse' : 'json'
}

/** Whether the client says the words: a native EventSource does, and it never retries after any status but 200. */
export function namesEventStream(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/event-stream') === true
}
