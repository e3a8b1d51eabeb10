/** Who one is here. Without a login that is what the browser remembers. */
import { randomName } from '../shared/random.js'

export interface Person {
  /** The same in all windows of one browser. */
  readonly who: string
  readonly name: string
}

const NAMES =
  'Kingfisher Otter Heron Dipper Wagtail Beaver Trout Swift Moorhen Newt Mayfly Plover'.split(' ')

/** Given to whoever hasn't said one. */
const anyName = () => NAMES[Math.floor(Math.random() * NAMES.length)]!

/** `storage`: of the browser, or of this window alone for somebody else. */
export function createIdentity(storage: Storage) {
  const keep = (key: string, make: () => string) => {
    const kept = storage.getItem(`sluice-${key}`) ?? make()
    storage.setItem(`sluice-${key}`, kept)
    return kept
  }
  const me = { who: keep('who', randomName), name: keep('name', anyName) }
  return {
    /** Renamed in place: what the client says of us at its next opening is read from it. */
    me: me as Person,
    rename(name: string): void {
      me.name = name
      storage.setItem('sluice-name', name)
    },
  }
}

/** What anybody may have written into data or presence, as a person. */
export function personOf(data: unknown, otherwise: string): Person {
  const { who, name } = (data ?? {}) as Partial<Record<keyof Person, unknown>>
  const named = typeof name === 'string' && name.trim() !== '' ? name.trim() : 'Somebody'
  return { who: typeof who === 'string' ? who : otherwise, name: named.slice(0, 40) }
}
