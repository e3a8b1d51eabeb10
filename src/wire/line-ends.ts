/**
 * Line ends of an event stream that somebody else writes (HTML § 9.2.5: LF, CR or CRLF), all as LF. A CR
 * ends its line at once: whether an LF follows is only known with the next part, and an event would wait
 * for that. The parser's own way looks for an LF up to the end of what came, anew for each CR.
 */

/** Of a text in parts; each call takes the next one. */
export function createLineEnds(): (part: string) => string {
  let afterCr = false
  return (part) => {
    if (part === '') return part
    const text = afterCr && part.startsWith('\n') ? part.slice(1) : part
    afterCr = part.endsWith('\r')
    return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
  }
}
