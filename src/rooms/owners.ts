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

/** One of those whom an open gateway lets do everything. */
export const isOpen = ({ owner }: Pick<Owned, 'owner'>) => owner === OPEN

/**
 * Whether the room names somebody as a moderator. Only a subject is proof of who somebody is: an id
 * counts where everybody may do everything anyway.
 */
export function isNamed(
  { moderators }: Pick<Room, 'moderators'>,
  who: Owned & Pick<Participant, 'subject'>,
): boolean {
  if (who.subject !== undefined) return moderators.includes(who.subject)
  return isOpen(who) && moderators.includes(who.id)
}

/**
 * Whether somebody comes in whatever is locked, and whoever is kept out. That everybody is a moderator, as on
 * an open gateway, opens no door: it would stand open to all.
 */
export function passes(
  room: Room,
  who: Owned & Pick<Participant, 'subject'>,
  byRight: boolean,
): boolean {
  return (byRight && !isOpen(who)) || isNamed(room, who)
}

/** By what somebody is kept out: their subject; of the nameless only the id is known. */
export function banOf({ owner, id }: Owned): Owned {
  return owner.startsWith(SUBJECT) ? { owner, id: '' } : { owner: '', id }
}
