/** A room as its document holds it: one field for what holds for all, one for each participant. */
import type { Document } from '../documents/documents.js'
import type { Position } from '../wire/position.js'

/** Any JSON object. */
export type Data = Readonly<Record<string, unknown>>

export type Role = 'participant' | 'moderator'

export interface Muted {
  readonly audio: boolean
  readonly video: boolean
}

export interface Participant {
  readonly id: string
  /** One joining: whoever reloads and comes again is another. Random. */
  readonly incarnation: string
  /** Who may come again under this id, and be told from others: never shown. */
  readonly owner: string
  /** Public id of the session whose stream carries it. */
  readonly session: string
  /** Of its token. */
  readonly subject?: string | undefined
  readonly role: Role
  readonly data: Data
  /** It wants to say something. */
  readonly hand: boolean
  /** What it says of itself: nobody else can silence it. */
  readonly muted: Muted
  /** ms since the epoch, later than that of everybody who was in before. */
  readonly joined: number
}

/** Somebody who is kept out. */
export interface Ban {
  /** Of `Participant.owner`; or, where owners can't be told apart, the participant's id. */
  readonly owner: string
  readonly id: string
  /** ms since the epoch. */
  readonly until: number
}

export interface Room {
  /** ms since the epoch. */
  readonly created: number
  /** Nobody may join but moderators (`passes` in owners.ts has it exactly). */
  readonly locked: boolean
  /** Null: as many as a room can hold. */
  readonly maxParticipants: number | null
  /** Subjects, or ids of participants, who are moderators whenever they are in. */
  readonly moderators: readonly string[]
  readonly data: Data
  readonly bans: readonly Ban[]
  /** Somebody has set its rules: it is remembered for a while without participants. */
  readonly kept: boolean
}

export type LeaveReason = 'left' | 'timeout' | 'kicked' | 'replaced' | 'closed'

/**
 * Somebody has left, and what follows is still to be done: their stream gives the room up, and those whose
 * signals they may not have received are told. It stands in the document so that another gateway does it
 * where the first one dies.
 */
export interface Farewell {
  readonly id: string
  readonly incarnation: string
  readonly session: string
  readonly reason: LeaveReason
  /** ms since the epoch: signals since then may not have been received. */
  readonly since: number
}

export interface RoomState {
  /** Undefined: there is no such room. */
  readonly room: Room | undefined
  /** By id, in the order of their joining. */
  readonly participants: ReadonlyMap<string, Participant>
  /** By incarnation. */
  readonly farewells: ReadonlyMap<string, Farewell>
}

/** Names of fields, and of members who hold leases beside the incarnations. */
export const ROOM_FIELD = 'room'
/** Its lease ends when a room without participants is forgotten. */
export const KEEPER = 'room'
const IN = 'in '
const OUT = 'out '
export const fieldOf = (id: string) => IN + id
export const farewellOf = (incarnation: string) => OUT + incarnation

/** Whose farewell a field, or a member, is about; undefined where it is none. */
export function saidBy(name: string): string | undefined {
  return name.startsWith(OUT) ? name.slice(OUT.length) : undefined
}

/** Each signal asks for the state of a room that rarely changes: `transact` keeps its fields the same object. */
const parsed = new WeakMap<Document['fields'], RoomState>()

export function readState({ fields }: Pick<Document, 'fields'>): RoomState {
  let state = parsed.get(fields)
  if (state === undefined) {
    state = parse(fields)
    parsed.set(fields, state)
  }
  return state
}

function parse(fields: Document['fields']): RoomState {
  const participants: Participant[] = []
  const farewells = new Map<string, Farewell>()
  let room: Room | undefined
  for (const [name, json] of fields) {
    if (name === ROOM_FIELD) room = JSON.parse(json) as Room
    else if (name.startsWith(IN)) participants.push(JSON.parse(json) as Participant)
    else if (name.startsWith(OUT)) farewells.set(name.slice(OUT.length), JSON.parse(json))
  }
  participants.sort((a, b) => a.joined - b.joined)
  return { room, participants: new Map(participants.map((it) => [it.id, it])), farewells }
}

/** Somebody who is in, by the session that they came with. */
export function bySession(state: RoomState, session: string): Participant | undefined {
  for (const it of state.participants.values()) if (it.session === session) return it
  return undefined
}

export function byIncarnation(state: RoomState, incarnation: string): Participant | undefined {
  for (const it of state.participants.values()) if (it.incarnation === incarnation) return it
  return undefined
}

/** Of two, the one who gives way where both make an offer: whoever came later. */
export function isPolite(
  one: Pick<Participant, 'joined' | 'incarnation'>,
  towards: Pick<Participant, 'joined' | 'incarnation'>,
): boolean {
  if (one.joined !== towards.joined) return one.joined > towards.joined
  return one.incarnation > towards.incarnation
}

/** A moment of a room. */
export interface Snapshot extends RoomState {
  readonly room: Room
  readonly name: string
  /** Incarnations whose connection is gone, and whose grace runs. */
  readonly away: ReadonlySet<string>
  /** Everything up to here is in it. */
  readonly position: Position
}
