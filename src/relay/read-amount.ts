/** Durations and sizes of an upstream. */
import type { Fail } from './upstreams-error.js'

interface Measure {
  readonly what: string
  readonly units: Readonly<Record<string, number>>
  /** Where there is none. */
  readonly unit: string
  readonly max: number
  readonly advice: string
}

const HOUR = 3_600_000

export const DURATION: Measure = {
  what: 'a duration from 1ms to 1h',
  units: { ms: 1, s: 1000, m: 60_000, h: HOUR },
  unit: 's',
  max: HOUR,
  advice: 'write e.g. 500ms, 60s or 5m',
}
/** Each run may hold one event that is incomplete, and parses it whole. */
export const SIZE: Measure = {
  what: 'a size from 1 byte to 16mb',
  units: { b: 1, kb: 2 ** 10, mb: 2 ** 20 },
  unit: 'b',
  max: 16 * 2 ** 20,
  advice: 'write e.g. 256kb or 1mb',
}

/** Written as everywhere in the configuration: seconds or bytes, or with a unit. */
export function readAmount(key: string, value: unknown, measure: Measure, fail: Fail): number {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  const [, number, unit = measure.unit] =
    /^(\d{1,12}(?:\.\d{1,3})?)([a-z]{1,2})?$/i.exec(text) ?? []
  const scale = measure.units[unit.toLowerCase()]
  const result =
    number === undefined || scale === undefined ? 0 : Math.round(Number(number) * scale)
  if (result >= 1 && result <= measure.max) return result
  return fail(`its ${key} is not ${measure.what}`, measure.advice)
}
