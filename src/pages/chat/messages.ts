/** What was said, in the order of the log, and below it what is still on its way there. */
import { avatar, hueOf, make } from '../shared/dom.js'
import { type Person, personOf } from './identity.js'

/** Beyond it the oldest go: the page stays light, the log has them. */
const MAX_SHOWN = 300
/** Said within it by the same person, it stands under one name. */
const TOGETHER_MS = 5 * 60_000

export interface Said extends Person {
  readonly text: string
  /** Tells a message of our own when it comes back. */
  readonly key?: string
}

/** How far a message of our own has come. */
export type Progress = 'waiting' | 'sending' | 'sent' | 'refused'

const PROGRESS: Readonly<Record<Progress, string>> = {
  waiting: 'waits to be sent',
  sending: 'sending …',
  sent: 'sent',
  refused: 'not sent',
}

/** An event's data, which may be anything: `curl` speaks here, too. */
export function saidIn(data: unknown, sender = 'somebody'): Said {
  const { text, key } = (data ?? {}) as { text?: unknown; key?: unknown }
  const words =
    typeof data === 'string' ? data : typeof text === 'string' ? text : JSON.stringify(data)
  return {
    ...personOf(data, sender),
    text: words.slice(0, 2000),
    ...(typeof key === 'string' && { key }),
  }
}

export function createMessages(list: HTMLElement, scroller: HTMLElement, me: Person) {
  const pending = new Map<string, HTMLLIElement>()
  const times = new WeakMap<Element, number>()

  let atBottom = true
  const toBottom = () => {
    scroller.scrollTop = scroller.scrollHeight
  }
  const look = () => {
    const { scrollHeight, scrollTop, clientHeight } = scroller
    atBottom = scrollHeight - scrollTop - clientHeight < 60
  }
  scroller.addEventListener('scroll', look)
  // A window is made smaller, a phone's keyboard opens: what was said last stays in sight.
  new ResizeObserver(() => (atBottom ? toBottom() : look())).observe(scroller)

  /** Whoever has scrolled up to read stays where they are. */
  function keepingBottom(change: () => void): void {
    const stay = !atBottom
    change()
    if (!stay) toBottom()
  }

  function draw(said: Said, time: number): HTMLLIElement {
    const own = said.who === me.who
    const when = new Date(time)
    const name = make('span', { className: 'name', textContent: own ? 'You' : said.name })
    const clock = make('time', {
      dateTime: when.toISOString(),
      title: when.toLocaleString(),
      textContent: when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }),
    })
    const face = avatar(said.name, hueOf(said.who))
    const body = make('p', { className: 'text', textContent: said.text })
    const item = make('li', { className: own ? 'message own' : 'message' })
    item.append(face, make('div', { className: 'by' }, name, clock), body)
    item.style.setProperty('--hue', String(hueOf(said.who)))
    item.dataset.who = said.who
    item.dataset.name = said.name
    times.set(item, time)
    return item
  }

  /** Under one name with what stands before it, or not. */
  function group(item: Element | null | undefined): void {
    if (!(item instanceof HTMLElement)) return
    const before = item.previousElementSibling
    const same =
      before instanceof HTMLElement &&
      before.dataset.who === item.dataset.who &&
      before.dataset.name === item.dataset.name &&
      (times.get(item) ?? 0) - (times.get(before) ?? 0) < TOGETHER_MS
    item.classList.toggle('more', same)
  }

  /** Above what is still on its way. */
  function place(item: HTMLElement): void {
    const first = pending.values().next().value
    list.insertBefore(item, first ?? null)
    group(item)
    group(first)
    while (list.childElementCount > MAX_SHOWN) list.firstElementChild?.remove()
    group(list.firstElementChild)
  }

  return {
    /** What the log has. */
    logged(said: Said, time: number): void {
      keepingBottom(() => {
        if (said.key !== undefined && said.who === me.who) {
          pending.get(said.key)?.remove()
          pending.delete(said.key)
        }
        place(draw(said, time))
      })
    },
    /** Shown at once; `mark` says how far it has come. */
    begin(said: Said & { readonly key: string }): void {
      const item = draw(said, Date.now())
      item.append(make('span', { className: 'progress' }))
      pending.set(said.key, item)
      list.append(item)
      group(item)
      toBottom()
    },
    /** Nothing where it has come back already. */
    mark(key: string, progress: Progress, why?: string): void {
      const item = pending.get(key)
      if (item === undefined) return
      item.dataset.progress = progress
      const words = PROGRESS[progress]
      item.querySelector('.progress')!.textContent = why ? `${words}: ${why}` : words
      // It never comes: what is said later stands below it.
      if (progress === 'refused') pending.delete(key)
    },
    /** Those that wait or are being sent are told apart by the network. */
    markUnsent(progress: 'waiting' | 'sending'): void {
      for (const [key, item] of pending) {
        if (item.dataset.progress !== 'sent') this.mark(key, progress)
      }
    },
    /** Something may be missing here. */
    gap(reason: string): void {
      keepingBottom(() => {
        const text = `Something may be missing here (${reason}).`
        place(make('li', { className: 'gap', textContent: text }))
      })
    },
  }
}
