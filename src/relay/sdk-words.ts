/**
 * A refusal in words that the SDKs read, too. They know of no problem documents: OpenAI's looks for a
 * member `error` and says "403 status code (no body)" where there is none; both repeat 409 and whatever
 * begins with 5 unless a header says that it is of no use. RFC 9457 § 3.2 lets a document have further
 * members.
 */
import type { SluiceError } from '../wire/errors.js'

/** Types that both vendors have, by status. */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
}

export function inSdkWords(problem: SluiceError): SluiceError {
  const { message, code, status } = problem
  const type = TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
  return problem.but({ extensions: { error: { message, type, code } } })
}

/** What SDKs go by when they decide whether to ask again. */
export function sdkHeaders({ retryable }: SluiceError): Record<string, string> {
  return { 'x-should-retry': String(retryable) }
}
