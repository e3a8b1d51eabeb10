/** Who is typing: events that nobody keeps, and that are over by themselves. */
import type { Person } from './identity.js'

/** After the last sign of it. */
const EXPIRES_MS = 4_000
/** Between two signs of our own. */
const AGAIN_MS = 2_000

/** Those who type, in words. */
function wordsFor(names: readonly string[]): string {
  const [first, second] = names
  if (first === undefined) return ''
  if (second === undefined) return `${first} is typing …`
  if (names.length === 2) return `${first} and ${second} are typing …`
  return `${first} and ${names.length - 1} others are typing …`
}

export function createTyping(line: HTMLElement) {
  const typists = new Map<string, { name: string; timer: ReturnType<typeof setTimeout> }>()

  function show(): void {
    line.textContent = wordsFor([...typists.values()].map(({ name }) => name))
  }

  function stop(who: string): void {
    clearTimeout(typists.get(who)?.timer)
    if (typists.delete(who)) show()
  }

  return {
    heard({ who, name }: Person): void {
      clearTimeout(typists.get(who)?.timer)
      typists.set(who, { name, timer: setTimeout(() => stop(who), EXPIRES_MS) })
      show()
    },
    /** What they typed has come. */
    stop,
  }
}

/** Calls `send` while one types, now and then. */
export function createSigns(send: () => void) {
  let last = 0
  return {
    typed(): void {
      if (Date.now() - last < AGAIN_MS) return
      last = Date.now()
      send()
    },
    /** What comes next is a new beginning. */
    sent(): void {
      last = 0
    },
  }
}
