/**
 * What rooms, their participants and their channels are called.
 *
 *     document  room:{room}                   who is in, and what holds for all
 *     channel   room:{room}                   what happens: everybody in it reads it
 *     channel   inbox:{room}:{incarnation}    what is meant for one of them
 *
 * All live in one partition (`homeOf`), so that a change of the document and what is said about it are one.
 */

/**
 * Letters of a room and of a participant: those of a channel without `:`, which parts an inbox's name. Not
 * `.` or `..`, which whoever makes a URL of them takes for a way up.
 */
const ROOM = /^(?!\.\.?$)[A-Za-z0-9_\-.@~=|+]{1,100}$/
/** As a pattern for schemas, too. */
export const PARTICIPANT_PATTERN = '^(?!\\.\\.?$)[A-Za-z0-9_\\-.@~=|+]{1,128}$'
const PARTICIPANT = new RegExp(PARTICIPANT_PATTERN)

const PREFIX = 'room:'

export function isRoom(name: string): boolean {
  return ROOM.test(name)
}

export function isParticipantId(id: string): boolean {
  return PARTICIPANT.test(id)
}

/** The room's channel; its document has the same name. */
export function roomChannel(room: string): string {
  return PREFIX + room
}

export function isRoomChannel(name: string): boolean {
  return name.startsWith(PREFIX)
}

/** The room of a document or a channel that `roomChannel` named. */
export function roomOf(name: string): string {
  return name.slice(PREFIX.length)
}

/** What is meant for one participant, while it takes part. Nobody else ever reads it. */
export function inboxChannel(room: string, incarnation: string): string {
  return `inbox:${room}:${incarnation}`
}
