/** A run as `runs.lua` tells it: the fields of a hash. What the producer's side wrote is there as JSON. */
import type { Run, RunFormat, RunState } from './run.js'

/** In the order of RUN_FIELDS. */
export type Told = readonly (string | null)[]

const OPTIONAL = ['upstream', 'owner', 'error', 'usage', 'key', 'pending'] as const

/**
 * JSON, also of strings: an owner may hold lone surrogates, which would all become one character on
 * their way. Empty: there is none.
 */
export function writeField(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value)
}

/** `text`: as JSON; null or undefined: none is known. */
export function readRun(id: string, told: Told, text?: string | null): Run {
  const [state, started, ended, format, events, ...rest] = told
  const fields: [string, string | null | undefined][] = OPTIONAL.map((name, i) => [name, rest[i]])
  fields.push(['text', text])
  const given = fields.flatMap(([name, json]) => {
    return typeof json === 'string' ? [[name, JSON.parse(json) as unknown] as const] : []
  })
  return {
    id,
    state: state as RunState,
    started: Number(started),
    ended: typeof ended === 'string' ? Number(ended) : null,
    format: format as RunFormat,
    events: Number(events),
    ...(Object.fromEntries(given) as Pick<Run, (typeof OPTIONAL)[number] | 'text'>),
  }
}
