/** Who is here: connections by the person whose they are. */
import type { Member } from '../../client/index.js'
import { avatar, hueOf, make } from '../shared/dom.js'
import { type Person, personOf } from './identity.js'

interface Here extends Person {
  readonly windows: number
  /** Milliseconds since the epoch, of the first of them. */
  readonly since: number
}

/** One's own first, then by arrival. */
function peopleIn(members: Iterable<Member>, me: Person): Here[] {
  const people = new Map<string, Here>()
  for (const { id, count, since, data } of members) {
    const person = personOf(data, id)
    const known = people.get(person.who)
    people.set(person.who, {
      ...person,
      windows: count + (known?.windows ?? 0),
      since: Math.min(since, known?.since ?? since),
    })
  }
  const rank = ({ who, since }: Here) => (who === me.who ? 0 : since)
  return [...people.values()].sort((one, other) => rank(one) - rank(other))
}

export function showPeople(
  list: HTMLElement,
  count: HTMLElement,
  members: Iterable<Member>,
  me: Person,
): void {
  const people = peopleIn(members, me)
  const items = people.map(({ who, name, windows }) => {
    const own = who === me.who
    const about = [own ? 'you' : 'here', ...(windows > 1 ? [`${windows} windows`] : [])]
    return make(
      'li',
      {},
      avatar(name, hueOf(who)),
      make('span', { className: 'name', textContent: name }),
      make('span', { className: 'hint', textContent: about.join(' · ') }),
    )
  })
  list.replaceChildren(...items)
  count.textContent = String(people.length)
}
