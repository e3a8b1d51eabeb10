/** Who one is here. Without a login that is what the browser remembers. */
import { randomName } from '../shared/random.js'

export interface Person {
  /** The same in all windows of one browser. */
  readonly who: string
  readonly name: string
}

const KINDS =
  'Early Late Quiet Merry Patient Nimble Silver Copper Mossy Rainy Northern Little'.split(' ')
const NAMES =
  'Kingfisher Otter Heron Dipper Wagtail Beaver Trout Swift Moorhen Newt Mayfly Plover'.split(' ')

const oneOf = (words: readonly string[]) => words[Math.floor(Math.random() * words.length)]!

/** Given to whoever hasn't said one. */
const anyName = () => `${oneOf(KINDS)} ${oneOf(NAMES)}`

/** `storage`: of the browser, or of this window alone for somebody else. */
export function createIdentity(storage: Storage) {
  const keep = (key: string, make: () => string) => {
    const kept = storage.getItem(`sluice-${key}`) ?? make()
    storage.setItem(`sluice-${key}`, kept)
    return kept
  }
  /** Nobody has chosen it, and nobody has seen it. */
  let fresh = storage.getItem('sluice-name') === null
  const me = { who: keep('who', randomName), name: keep('name', anyName) }

  function rename(name: string): void {
    fresh = false
    me.name = name
    storage.setItem('sluice-name', name)
  }

  return {
    /** Renamed in place: what the client says of us at its next opening is read from it. */
    me: me as Person,
    rename,
    /** True: a name that was given here is somebody else's among those, and is another one now. */
    giveWay(others: readonly Person[]): boolean {
      const taken = new Set(others.filter(({ who }) => who !== me.who).map(({ name }) => name))
      const gives = fresh && taken.has(me.name)
      fresh = false
      if (!gives) return false
      let name = anyName()
      for (let tries = 0; taken.has(name) && tries < 100; tries++) name = anyName()
      rename(name)
      return true
    },
  }
}

/** What anybody may have written into data or presence, as a person. */
export function personOf(data: unknown, otherwise: string): Person {
  const { who, name } = (data ?? {}) as Partial<Record<keyof Person, unknown>>
  const named = typeof name === 'string' && name.trim() !== '' ? name.trim() : 'Somebody'
  return { who: typeof who === 'string' ? who : otherwise, name: named.slice(0, 40) }
}
