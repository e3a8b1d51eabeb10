/** What the authorisation hook answers. Whatever isn't exactly one of the forms is no answer. */
import type { Answer } from './outgoing.js'

/** Whether a channel that was asked for is allowed. */
export type Verdict = (channel: string) => boolean

/** Throws an Error for the gateway's log, which never repeats what was answered. */
export function readVerdict({ status, body }: Answer, channels: readonly string[]): Verdict {
  if (status === 403) return () => false
  if (status !== 200) throw new Error(`it answered ${status}`)
  const { allow, denied } = readObject(body)
  if (allow === undefined && denied === undefined) throw new Error('neither "allow" nor "denied"')
  if (allow !== undefined && typeof allow !== 'boolean') throw new Error('"allow" is not a boolean')
  const refused = denied === undefined ? new Set() : new Set(readDenied(denied, channels))
  return (channel) => allow !== false && !refused.has(channel)
}

function readObject(body: Buffer): { readonly allow?: unknown; readonly denied?: unknown } {
  let json: unknown
  try {
    json = JSON.parse(body.toString())
  } catch {
    throw new Error('it answered something else than JSON')
  }
  if (typeof json !== 'object' || json === null) throw new Error('it answered no JSON object')
  return json
}

function readDenied(denied: unknown, channels: readonly string[]): readonly unknown[] {
  if (!Array.isArray(denied)) throw new Error('"denied" is not an array')
  // A name that was changed on the way there: the one that was meant would be let in.
  const asked = new Set<unknown>(channels)
  if (!denied.every((it) => asked.has(it))) throw new Error('"denied" names what was not asked for')
  return denied
}
