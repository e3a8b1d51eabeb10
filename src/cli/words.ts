/** Cutting a text that is still arriving into events. */

/** Whole text of a stream of bytes, piece by piece. A BOM is part of the text. */
async function* decode(chunks: AsyncIterable<unknown>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  for await (const chunk of chunks) {
    yield typeof chunk === 'string' ? chunk : decoder.decode(chunk as Uint8Array, { stream: true })
  }
  yield decoder.decode()
}

/** Pieces that `end` marks the end of, each as soon as it is whole; at the end what is left. */
async function* pieces(chunks: AsyncIterable<unknown>, end: RegExp): AsyncGenerator<string> {
  // Fragments are joined once: a line over many chunks would else be copied with each of them.
  let fragments: string[] = []
  for await (const chunk of decode(chunks)) {
    if (chunk === '') continue
    // The last character may, with what follows, make an end or belong to one.
    const tail = fragments.at(-1)?.slice(-1) ?? ''
    if (!end.test(tail + chunk)) {
      fragments.push(chunk)
      continue
    }
    let text = fragments.join('') + chunk
    for (let match = end.exec(text); match !== null; match = end.exec(text)) {
      const at = match.index + match[0].length
      yield text.slice(0, at)
      text = text.slice(at)
    }
    fragments = text === '' ? [] : [text]
  }
  const rest = fragments.join('')
  if (rest !== '') yield rest
}

/** Words, each with the white space before it: joined they are the text again, to the byte. */
export function words(chunks: AsyncIterable<unknown>): AsyncGenerator<string> {
  return pieces(chunks, /\S(?=\s)/)
}

/** Lines without their ends (LF or CRLF). */
export async function* lines(chunks: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const line of pieces(chunks, /\n/)) yield line.replace(/\r?\n$/, '')
}
