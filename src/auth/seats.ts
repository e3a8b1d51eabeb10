/** How many streams one subject, and one address, holds at a time. Each process counts its own. */
import { SluiceError } from '../wire/errors.js'
import { countedAs, isThisMachine } from './addresses.js'
import type { Identity } from './identity.js'

export interface SeatLimits {
  /** 0: no limit. */
  readonly perSubject: number
  /** 0: no limit. */
  readonly perAddress: number
}

export interface Seats {
  /** Takes a seat until the answer is called. Throws `streams_too_many`. */
  take(identity: Identity, address: string): () => void
}

/** Seconds after which a seat may be free. */
const RETRY_S = 10
/** No limit for backends: they open streams for many. Nor where there is nobody to tell from others. */
const FREE = () => {}

export function createSeats({ perSubject, perAddress }: SeatLimits): Seats {
  const taken = new Map<string, number>()

  function add(name: string, more: number): void {
    const count = (taken.get(name) ?? 0) + more
    if (count > 0) taken.set(name, count)
    else taken.delete(name)
  }

  return {
    take({ kind, subject }, address) {
      if (kind === 'open' || kind === 'key') return FREE
      const places: [name: string, most: number][] = []
      if (subject !== undefined && perSubject > 0) places.push([`s ${subject}`, perSubject])
      if (perAddress > 0 && !isThisMachine(address))
        places.push([`a ${countedAs(address)}`, perAddress])
      const full = places.find(([name, most]) => (taken.get(name) ?? 0) >= most)
      if (full !== undefined) {
        const whose = full[0].startsWith('s') ? 'subject' : 'address'
        const detail = `${full[1]} streams of this ${whose} are open`
        throw new SluiceError('streams_too_many', { detail, retryAfter: RETRY_S })
      }
      for (const [name] of places) add(name, 1)
      let left = false
      return () => {
        if (left) return
        left = true
        for (const [name] of places) add(name, -1)
      }
    },
  }
}
