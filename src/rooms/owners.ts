/** Whose a participant is: who may come again under its id, act as it, and be kept out. */
import type { Participant, Room } from './state.js'

/** Everybody who calls an open gateway is the same nameless owner. */
const OPEN = 'open'
const SUBJECT = 's '

/**
 * As one text. Those who are nameless on a locked gateway can't be told apart but by their sessions: as
 * one owner, any of them could push another out.
 */
export function ownerIn(kind: string, subject: string | undefined, session: string): string {
  if (subject !== undefined) return SUBJECT + subject
  return kind === OPEN || kind === 'key' ? kind : `session ${session}`
}

type Owned = Pick<Participant, 'owner' | 'id'>

/**
 * Whether the room names somebody as a moderator. Only a subject is proof of who somebody is: an id
 * counts where everybody may do everything anyway.
 */
export function isNamed(
  { moderators }: Pick<Room, 'moderators'>,
  { subject, owner, id }: Owned & Pick<Participant, 'subject'>,
): boolean {
  if (subject !== undefined) return moderators.includes(subject)
  return owner === OPEN && moderators.includes(id)
}

/** By what somebody is kept out: their subject; of the nameless only the id is known. */
export function banOf({ owner, id }: Owned): Owned {
  return owner.startsWith(SUBJECT) ? { owner, id: '' } : { owner: '', id }
}
