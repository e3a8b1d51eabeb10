/** What gateways tell each other on the bus. */

export type Message =
  /** There is news among the verdicts. `verdicts.lua` says it. */
  | { readonly kind: 'changed' }
  /** A session has a fresh token. `id`: what an answer names. */
  | {
      readonly kind: 'renewal'
      readonly id: string
      readonly session: string
      readonly renewal: string
    }
  /** Whoever says it has a live stream of the session. */
  | { readonly kind: 'renewed'; readonly id: string }

/** Undefined where it is none, as of a later version. */
export function readMessage(text: string): Message | undefined {
  let value: Readonly<Record<string, unknown>> | null
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { kind, id, session, renewal } = value ?? {}
  if (kind === 'changed') return { kind }
  if (typeof id !== 'string') return undefined
  if (kind === 'renewed') return { kind, id }
  if (kind !== 'renewal' || typeof session !== 'string' || typeof renewal !== 'string') {
    return undefined
  }
  return { kind, id, session, renewal }
}
