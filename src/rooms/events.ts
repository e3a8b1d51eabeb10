/** What a room's channel and an inbox are told. */
import type { Draft } from '../log/log.js'
import { inboxChannel, roomChannel } from './names.js'
import type { LeaveReason, Participant, Room } from './state.js'
import { participantView, roomView } from './views.js'

/** Who did it: a participant's id, or a subject that isn't in. Undefined: a backend. */
export type By = string | undefined

function said(room: string, name: string, data: object): Draft {
  return { channel: roomChannel(room), name, data: JSON.stringify(data) }
}

export function joined(room: string, participant: Participant): Draft {
  return said(room, 'participant.joined', { participant: participantView(participant) })
}

export function left(room: string, who: Participant, reason: LeaveReason, by?: By): Draft {
  const { id, incarnation } = who
  return said(room, 'participant.left', { id, incarnation, reason, by })
}

export function updated(room: string, participant: Participant): Draft {
  return said(room, 'participant.updated', { participant: participantView(participant) })
}

export function roomUpdated(name: string, room: Room): Draft {
  return said(name, 'room.updated', { room: roomView(name, room) })
}

/** A request: what somebody sends to others directly nobody else can stop. */
export function muteAsked(room: string, of: Participant, kinds: readonly string[], by: By): Draft {
  const data = JSON.stringify({ kinds, by })
  return { channel: inboxChannel(room, of.incarnation), name: 'participant.mute', data }
}
