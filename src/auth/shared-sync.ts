/**
 * Brings the verdicts of this gateway and those in Redis together.
 *
 *     another connection, another list ─▶ read it from the beginning ─▶ remind it of what it lacks
 *     the same list                    ─▶ read what has changed since
 *
 * Redis is where gateways tell each other, and no more reliable than its settings: what a failover or a
 * wipe takes from it, those who had heard it give back.
 */
import type { Redis } from 'ioredis'
import { callFunction, isReadingOnly } from '../log/redis/functions.js'
import { VERDICTS, VERDICTS_PAGE } from './shared-limits.js'
import { nameOf, readName, type Verdict, type Verdicts } from './verdicts.js'

export interface SyncOptions {
  /** Key that all keys of the list's partition begin with. */
  readonly base: string
  readonly verdicts: Verdicts
  /** Something is otherwise than before. */
  changed(): void
}

export interface Sync {
  /** Nothing is taken for granted: behind another connection there may be another list. */
  reset(): void
  /** One at a time. Rejects where Redis doesn't answer, or can't be asked for now. */
  round(client: Redis): Promise<void>
}

type News = [birth: string, version: string, ...rows: string[]]

export function createSync({ base, verdicts, changed }: SyncOptions): Sync {
  /** The list that is read, and how far it was. */
  let birth: string | undefined
  let version = 0
  /** Names of what this gateway remembers and the list hasn't shown. */
  let missing = new Set<string>()
  /** Something was read that the listener hasn't been told. */
  let news = false

  function reset(): void {
    birth = undefined
    version = 0
    missing = new Set(verdicts.all().map(({ kind, value }) => nameOf(kind, value)))
  }

  /** Answers whether there is more. */
  async function read(client: Redis): Promise<boolean> {
    const reply = await callFunction(client, 'verdicts', base, [version, VERDICTS_PAGE])
    const [list, last, ...rows] = reply as News
    if (list !== birth || Number(last) < version) {
      reset()
      birth = list
      return true
    }
    for (let i = 0; i < rows.length; i += 3) {
      hear(rows[i]!, rows[i + 1]!)
      version = Number(rows[i + 2])
    }
    return rows.length === 3 * VERDICTS_PAGE
  }

  function hear(name: string, text: string): void {
    const named = readName(name)
    if (named === undefined) return
    const [until, at, ends] = text.split(' ').map(Number) as [number, number, number]
    if (verdicts.hear({ ...named, until, at, ends })) news = true
    const own = verdicts.find(named.kind, named.value)
    if (own?.at === at && own.until === until && own.ends === ends) missing.delete(name)
  }

  async function remind(client: Redis): Promise<void> {
    const known = verdicts.all().filter(({ kind, value }) => missing.has(nameOf(kind, value)))
    for (let from = 0; from < known.length; from += VERDICTS_PAGE) {
      const page = known.slice(from, from + VERDICTS_PAGE).flatMap(argumentsOf)
      await callFunction(client, 'remind', base, [VERDICTS, ...page])
    }
    missing.clear()
  }

  return {
    reset,
    async round(client) {
      try {
        for (;;) {
          while (await read(client)) {}
          if (missing.size === 0) return
          await remind(client)
        }
      } catch (error) {
        // Such a Redis can be listened to all the same, and is reminded at the next round.
        if (!isReadingOnly(error)) throw error
      } finally {
        // Once, however many pages there were: whoever is told goes through all of them.
        if (news) changed()
        news = false
      }
    },
  }
}

function argumentsOf({ kind, value, until, at, ends }: Verdict) {
  return [nameOf(kind, value), until, at, ends]
}
