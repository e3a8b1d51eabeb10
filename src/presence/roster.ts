/** Who is present on a channel: what the fields of its document come to. */
import { type Connection, memberJson, readConnection, writeConnection } from './connection.js'

/** The field of what is still to be told elsewhere (`occupancy.ts`). No connection is called so. */
export const UNTOLD = '*untold'

export class Roster {
  readonly #connections = new Map<string, Connection>()
  /** Connections by member. */
  readonly #members = new Map<string, Set<string>>()
  /** JSON of members that has been asked for; it is asked for again and again. */
  readonly #texts = new Map<string, string>()
  #turn = 0
  #untold: string | undefined

  constructor(fields: Iterable<readonly [string, string | null]> = []) {
    this.apply(fields)
  }

  /** How many connections there are. */
  get size(): number {
    return this.#connections.size
  }

  /** Members that are here. */
  get members(): number {
    return this.#members.size
  }

  /** The greatest turn that was ever taken here. */
  get turn(): number {
    return this.#turn
  }

  /** What stands in the field of that name. */
  get untold(): string | undefined {
    return this.#untold
  }

  connection(name: string): Connection | undefined {
    return this.#connections.get(name)
  }

  /** Names of a member's connections. */
  connectionsOf(id: string): ReadonlySet<string> {
    return this.#members.get(id) ?? NONE
  }

  /** A member in JSON; undefined: it isn't here. */
  member(id: string): string | undefined {
    const known = this.#texts.get(id)
    if (known !== undefined) return known
    const text = memberJson([...this.connectionsOf(id)].map((name) => this.#connections.get(name)!))
    if (text !== undefined) this.#texts.set(id, text)
    return text
  }

  /** The JSON array of all members. */
  json(): string {
    return `[${[...this.#members.keys()].map((id) => this.member(id)).join(',')}]`
  }

  /** Takes a change in. */
  apply(fields: Iterable<readonly [string, string | null]>): void {
    for (const [name, text] of fields) {
      if (name === UNTOLD) this.#untold = text ?? undefined
      else this.#put(name, text === null ? undefined : readConnection(text))
    }
  }

  #put(name: string, connection: Connection | undefined): void {
    const before = this.#connections.get(name)
    if (before !== undefined) {
      this.#texts.delete(before.id)
      const others = this.#members.get(before.id)!
      others.delete(name)
      if (others.size === 0 && before.id !== connection?.id) this.#members.delete(before.id)
    }
    if (connection === undefined) {
      this.#connections.delete(name)
      return
    }
    this.#connections.set(name, connection)
    this.#texts.delete(connection.id)
    this.#turn = Math.max(this.#turn, connection.turn)
    const own = this.#members.get(connection.id)
    if (own === undefined) this.#members.set(connection.id, new Set([name]))
    else own.add(name)
  }
}

const NONE: ReadonlySet<string> = new Set()

/** A roster with changes on top, which may yet come to nothing. */
export class Sketch {
  readonly #base: Roster
  readonly #changes = new Map<string, Connection | undefined>()
  readonly #ids = new Set<string>()
  #size: number
  #turn: number

  constructor(base: Roster) {
    this.#base = base
    this.#size = base.size
    this.#turn = base.turn
  }

  /** How many connections there are. */
  get size(): number {
    return this.#size
  }

  nextTurn(): number {
    this.#turn++
    return this.#turn
  }

  connection(name: string): Connection | undefined {
    return this.#changes.has(name) ? this.#changes.get(name) : this.#base.connection(name)
  }

  put(name: string, connection: Connection | undefined): void {
    const before = this.connection(name)
    this.#size += Number(connection !== undefined) - Number(before !== undefined)
    for (const it of [before, connection]) if (it !== undefined) this.#ids.add(it.id)
    this.#changes.set(name, connection)
  }

  connectionsOf(id: string): Connection[] {
    const names = new Set(this.#base.connectionsOf(id))
    for (const name of this.#changes.keys()) names.add(name)
    return [...names].flatMap((name) => {
      const connection = this.connection(name)
      return connection?.id === id ? [connection] : []
    })
  }

  /** Members that something has changed about. */
  get touched(): Iterable<string> {
    return this.#ids
  }

  member(id: string): string | undefined {
    return memberJson(this.connectionsOf(id))
  }

  /** The fields that differ. */
  get fields(): Map<string, string | null> {
    const fields = new Map<string, string | null>()
    for (const [name, connection] of this.#changes) {
      const before = this.#base.connection(name)
      const text = connection === undefined ? null : writeConnection(connection)
      if (text !== (before === undefined ? null : writeConnection(before))) fields.set(name, text)
    }
    return fields
  }
}
