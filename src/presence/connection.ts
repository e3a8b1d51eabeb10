/**
 * One connection of somebody who is present: a field of the document `presence:C`, under the public id of
 * its session, or its own where it has none.
 */

export interface Connection {
  /** Whose: the subject of its token, or the connection's own id where it has none. */
  readonly id: string
  /** ms since the epoch: since when the member has been here, over all its connections. */
  readonly since: number
  /**
   * Counts what is said within a document: of a member's connections the newest that says something
   * speaks for it. Rejected: the time, of which each gateway has another.
   */
  readonly turn: number
  /** What its token says about it; JSON text, as are the two below. */
  readonly info?: string
  /** What it says about itself. */
  readonly data?: string
  /**
   * What it said when it opened, where it has said something else since; empty: nothing. An EventSource
   * comes back with the URL that it had, which must not undo what was said later.
   */
  readonly opened?: string
}

/** As the document keeps it. JSON stands in it as text, so that its numbers keep their digits. */
export function writeConnection(connection: Connection): string {
  return JSON.stringify(connection)
}

export function readConnection(text: string): Connection {
  return JSON.parse(text) as Connection
}

/** A member as everybody sees it, in JSON. Undefined where it has no connection. */
export function memberJson(connections: readonly Connection[]): string | undefined {
  const [first] = connections
  if (first === undefined) return undefined
  const since = Math.min(...connections.map((it) => it.since))
  const info = newest(connections, 'info')
  const data = newest(connections, 'data')
  const more = `${info === undefined ? '' : `,"info":${info}`}${data === undefined ? '' : `,"data":${data}`}`
  return `{"id":${JSON.stringify(first.id)},"count":${connections.length},"since":${since}${more}}`
}

function newest(connections: readonly Connection[], what: 'info' | 'data'): string | undefined {
  let found: Connection | undefined
  for (const connection of connections) {
    if (connection[what] === undefined) continue
    if (found === undefined || connection.turn > found.turn) found = connection
  }
  return found?.[what]
}
