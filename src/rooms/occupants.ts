/** Participants whose stream, or poll, is at this gateway: they live. */
import type { Logger } from '../logger.js'
import type { Keeper } from '../members/keeper.js'
import type { Ground } from '../sessions/sessions.js'
import { roomChannel, roomOf } from './names.js'
import { byIncarnation } from './state.js'
import type { Take } from './steps.js'

export type RoomGround = Extract<Ground, { by: 'room' }>

export interface Occupants {
  /** A reader of a participant's channels is here, until the answer is called. */
  occupy(ground: RoomGround): () => void
  /** The store doesn't know the lease of somebody who is here. */
  lost(name: string, member: string): void
}

export interface OccupantsOptions {
  readonly keeper: Pick<Keeper, 'hold' | 'liveMs'>
  readonly take: Take
  readonly logger: Logger
}

interface Occupant {
  readers: number
  release: () => void
}

export function createOccupants({ keeper, take, logger }: OccupantsOptions): Occupants {
  const here = new Map<string, Occupant>()

  /**
   * Whoever was put out has no lease either, and that is all right. Whoever is in without one would never
   * be found gone.
   */
  async function regain(room: string, incarnation: string): Promise<void> {
    const isIn = await take<boolean>(room, (state) => {
      if (byIncarnation(state, incarnation) === undefined) return { end: false }
      const lease = { member: incarnation, ms: keeper.liveMs }
      return { change: { leases: [lease] }, answer: () => true }
    })
    const occupant = here.get(incarnation)
    if (isIn && occupant !== undefined) {
      occupant.release = keeper.hold(roomChannel(room), incarnation)
    }
  }

  return {
    occupy({ room, incarnation }) {
      let occupant = here.get(incarnation)
      if (occupant === undefined) {
        occupant = { readers: 0, release: keeper.hold(roomChannel(room), incarnation) }
        here.set(incarnation, occupant)
      }
      occupant.readers++
      let over = false
      return () => {
        if (over) return
        over = true
        occupant.readers--
        if (occupant.readers > 0) return
        here.delete(incarnation)
        occupant.release()
      }
    },
    lost(name, member) {
      regain(roomOf(name), member).catch((error: unknown) => {
        logger.warn({ reason: (error as Error).message }, 'a participant’s lease is lost')
      })
    },
  }
}
