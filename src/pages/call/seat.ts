/**
 * The place in a call that a reload comes back to. Written as the page goes and taken as it comes: a tab
 * that is duplicated finds none, for somebody sits in it.
 */
import type { Muted, Participant } from '../../client/index.js'

export interface Seat {
  readonly room: string
  /** By which the gateway knows whose place it is. */
  readonly session: string
  readonly participant: string
  readonly data: Participant['data']
  readonly muted: Muted
}

const KEPT = 'seat'

export function keepSeat(seat: Seat): void {
  sessionStorage.setItem(KEPT, JSON.stringify(seat))
}

/** Of that room; whoever has come to another one meanwhile has left it. */
export function takeSeat(room: string | null): Seat | undefined {
  const kept = sessionStorage.getItem(KEPT)
  sessionStorage.removeItem(KEPT)
  if (kept === null) return undefined
  try {
    const seat = JSON.parse(kept) as Seat
    return seat.room === room ? seat : undefined
  } catch {
    return undefined
  }
}
