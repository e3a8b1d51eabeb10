/** Whom the gateway may ask on behalf of a caller, with keys that no caller sees. */
import type { RunFormat } from '../runs/run.js'
import { isAllowed, type Rule } from './paths.js'

export interface Upstream {
  /** 1–40 of a–z 0–9 -. */
  readonly name: string
  /** Origin and the beginning of all paths; without credentials, query and fragment. */
  readonly url: URL
  /** Sent with each request, secrets and all; names in lower case. Not for logs. */
  readonly headers: Readonly<Record<string, string>>
  readonly allow: readonly Rule[]
  /** ms from the request to the answer's head, the connection included. Default: 60 s. */
  readonly headTimeoutMs: number
  /** ms of silence in the body of an answer. Default: 120 s. */
  readonly idleTimeoutMs: number
  /** Bytes of one event: its name and its data. Default: 1 MiB. */
  readonly maxEventBytes: number
  /** What its event streams are. Default: whatever their first events look like. */
  readonly format?: RunFormat
}

/** By name. */
export type Upstreams = ReadonlyMap<string, Upstream>

/** Where a request goes. */
export interface Target {
  readonly upstream: Upstream
  /** Path and query, with the upstream's own beginning: sent as it stands, byte for byte. */
  readonly path: string
}

/**
 * What a caller may reach. `path`: as it came after the upstream's name, with its slash and its query,
 * never decoded.
 */
export function find(
  upstreams: Upstreams,
  name: string,
  method: string,
  path: string,
): Target | 'unknown' | 'not_allowed' {
  const upstream = upstreams.get(name)
  if (upstream === undefined) return 'unknown'
  if (!isAllowed(upstream.allow, method, path)) return 'not_allowed'
  return { upstream, path: upstream.url.pathname.replace(/\/$/, '') + path }
}
