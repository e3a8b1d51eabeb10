/** What Redis refuses, and whether that may change. */

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The user has no right to it: nothing to try again. */
export function isForbidden(error: unknown): boolean {
  return /^NOPERM\b|ACL failure/.test(messageOf(error))
}

/** There is something else under the inbox's name. */
export function isWrongType(error: unknown): boolean {
  return /WRONGTYPE/.test(messageOf(error))
}
