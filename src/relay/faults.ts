/** Why an upstream gave no answer, or not all of it: as data, fit for a caller's eyes. */

export type UpstreamFaultCode =
  /** No connection: nothing was sent, so that asking again can't do anything twice. */
  | 'unreachable'
  /** It leads where the gateway never goes. Nothing was sent. */
  | 'blocked'
  /** No head of an answer in time. Whether the upstream did its work is unknown. */
  | 'head_timeout'
  /** The body fell silent. */
  | 'idle_timeout'
  | 'event_too_large'
  /** It broke off, or isn't what HTTP or an event stream is. */
  | 'broken'
  /** Given up by whoever asked, or because the gateway stops. */
  | 'aborted'

const MESSAGES: Readonly<Record<UpstreamFaultCode, string>> = {
  unreachable: 'The upstream can’t be reached',
  blocked: 'The upstream’s address is not one that the gateway connects to',
  head_timeout: 'The upstream didn’t answer in time',
  idle_timeout: 'The upstream fell silent in the middle of its answer',
  event_too_large: 'The upstream sent an event above the limit',
  broken: 'The upstream’s answer broke off or can’t be read',
  aborted: 'The request to the upstream was given up',
}

/**
 * The message is one of a table, and there is no `cause`: Node's errors name the address they were about,
 * and whatever serialises errors follows causes.
 */
export class UpstreamFault extends Error {
  override readonly name = 'UpstreamFault'
  readonly code: UpstreamFaultCode
  /** For the gateway's log: a code of Node's, e.g. `ECONNREFUSED`, or a few words. Never an address or a header. */
  readonly detail: string | undefined

  constructor(code: UpstreamFaultCode, detail?: string) {
    super(MESSAGES[code])
    this.code = code
    this.detail = detail
  }
}
