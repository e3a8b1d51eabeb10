/**
 * Who is in a room: a snapshot, and the events that follow it. Events may come twice or be older than
 * the snapshot (it was read again in between): each is judged by the incarnation that it names, and as
 * all of them come in the end, the roster ends where the room is.
 */
import type { LeaveReason, Participant } from './resources.js'

/** Another participant, as this one sees them. */
export interface Peer extends Participant {
  /** Of the two, this side gives way where both offer at once. */
  readonly polite: boolean
  /** Can't be reached at the moment; signals wait for them. */
  readonly away: boolean
}

export type RosterChange =
  | { readonly type: 'joined'; readonly peer: Peer }
  | { readonly type: 'updated'; readonly peer: Peer }
  | {
      readonly type: 'left'
      readonly peer: Peer
      readonly reason: LeaveReason | undefined
      readonly by: string | undefined
    }

/** Data of `participant.left`. */
export interface Left {
  readonly id: string
  readonly incarnation: string
  readonly reason: LeaveReason
  readonly by?: string | undefined
}

export interface Roster {
  readonly peers: readonly Peer[]
  get(id: string): Peer | undefined
  /** Everybody who is there now. `self` may have joined anew. */
  reset(self: Participant, others: readonly Participant[]): RosterChange[]
  joined(participant: Participant): RosterChange[]
  updated(participant: Participant): RosterChange[]
  left(left: Left): RosterChange[]
  setAway(id: string, away: boolean): RosterChange[]
}

/** The one who joined later is polite; both sides find the same. */
export function isPolite(self: Participant, other: Participant): boolean {
  if (self.joined !== other.joined) return self.joined > other.joined
  return self.incarnation > other.incarnation
}

export function createRoster(): Roster {
  let self: Participant | undefined
  const peers = new Map<string, Peer>()

  function put(participant: Participant): RosterChange[] {
    if (self === undefined || participant.id === self.id) return []
    const known = peers.get(participant.id)
    // Of two joinings of one participant the later counts, whichever is told first.
    if (known !== undefined && isPolite(known, participant)) return []
    const same = known?.incarnation === participant.incarnation
    const peer: Peer = {
      ...participant,
      polite: isPolite(self, participant),
      away: participant.away ?? (same && known.away),
    }
    peers.set(peer.id, peer)
    if (same) return equal(known, peer) ? [] : [{ type: 'updated', peer }]
    const gone = known === undefined ? [] : [departure(known, 'replaced')]
    return [...gone, { type: 'joined', peer }]
  }

  function departure(peer: Peer, reason?: LeaveReason, by?: string): RosterChange {
    return { type: 'left', peer, reason, by }
  }

  return {
    get peers() {
      return [...peers.values()]
    },
    get: (id) => peers.get(id),
    reset(newSelf, others) {
      self = newSelf
      const here = new Map(others.map((other) => [other.id, other.incarnation]))
      const changes: RosterChange[] = []
      for (const peer of peers.values()) {
        if (here.get(peer.id) === peer.incarnation) continue
        peers.delete(peer.id)
        changes.push(departure(peer))
      }
      for (const other of others) changes.push(...put(other))
      return changes
    },
    joined: put,
    updated(participant) {
      // Of somebody who has left since: their joining isn't told again.
      if (peers.get(participant.id)?.incarnation !== participant.incarnation) return []
      return put(participant)
    },
    left({ id, incarnation, reason, by }) {
      const peer = peers.get(id)
      if (peer?.incarnation !== incarnation) return []
      peers.delete(id)
      return [departure(peer, reason, by)]
    },
    setAway(id, away) {
      const peer = peers.get(id)
      if (peer === undefined || peer.away === away) return []
      peers.set(id, { ...peer, away })
      return [{ type: 'updated', peer: { ...peer, away } }]
    },
  }
}

function equal(a: Peer, b: Peer): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
