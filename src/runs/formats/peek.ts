/**
 * Looking into JSON that somebody else wrote: whatever isn't as expected counts as not there. Members
 * are asked for by names that `Object.prototype` hasn't, and `JSON.parse` makes `__proto__` a member like
 * any other, so nothing that is sent can stand for something that isn't.
 */
import type { RunFault, RunUsage } from '../run.js'

export type Members = Readonly<Record<string, unknown>>

const NONE: Members = {}
/** Characters of a fault's message that a record keeps. */
const MAX_MESSAGE = 1000
const CODE = /^[\w.-]{1,64}$/
/** Where the producer gave none that a program could use. */
const NO_CODE = 'generation_failed'

/** The members of an object; none where it isn't one. */
export function members(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : NONE
}

/** An event's data as JSON's members. An event's size is limited where it comes in. */
export function parse(data: string): Members {
  // Exceptions are dear, and `[DONE]` and comments in prose are common.
  if (!data.trimStart().startsWith('{')) return NONE
  try {
    return members(JSON.parse(data))
  } catch {
    return NONE
  }
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Tokens by the names that a format has for them; undefined where none is told. */
export function tokens(
  value: unknown,
  names: { readonly input: string; readonly output: string; readonly total?: string },
): RunUsage | undefined {
  const told: { -readonly [K in keyof RunUsage]: RunUsage[K] } = {}
  for (const key of ['input', 'output', 'total'] as const) {
    const count = members(value)[names[key] ?? '']
    if (Number.isSafeInteger(count) && (count as number) >= 0) told[key] = count as number
  }
  return Object.keys(told).length > 0 ? told : undefined
}

/** What a producer says of its failure: `code`, else `type`, and `message`, as all providers call them. */
export function faultOf(value: unknown): RunFault {
  const { code, type, message } = members(value)
  const words = typeof value === 'string' ? value : message
  return {
    code:
      [code, type].find((it): it is string => typeof it === 'string' && CODE.test(it)) ?? NO_CODE,
    message:
      typeof words === 'string' && words !== ''
        ? words.slice(0, MAX_MESSAGE)
        : 'The generation failed',
  }
}
