/** What is shown of rooms and participants: never whose session or owner it is. */
import type { Data, Muted, Participant, Role, Room } from './state.js'

export interface RoomView {
  readonly name: string
  readonly locked: boolean
  readonly maxParticipants: number | null
  readonly moderators: readonly string[]
  readonly data: Data
  /** ms since the epoch. */
  readonly created: number
}

export interface ParticipantView {
  readonly id: string
  readonly incarnation: string
  readonly role: Role
  readonly data: Data
  readonly hand: boolean
  readonly muted: Muted
  /** ms since the epoch. */
  readonly joined: number
  /** Subject of its token, as events have it. */
  readonly sender?: string
}

export function roomView(name: string, room: Room): RoomView {
  const { locked, maxParticipants, moderators, data, created } = room
  return { name, locked, maxParticipants, moderators, data, created }
}

export function participantView(participant: Participant): ParticipantView {
  const { id, incarnation, role, data, hand, muted, joined, subject } = participant
  const view = { id, incarnation, role, data, hand, muted, joined }
  return subject === undefined ? view : { ...view, sender: subject }
}
