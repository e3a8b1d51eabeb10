/** Small JSON bodies: options rather than events. */
import type { Body } from '../plugins/bodies.js'
import { SluiceError } from '../wire/errors.js'

/** The body's JSON value, checked. Undefined where there is no body. */
export function readJson<T>(
  body: Body | undefined,
  check: (value: unknown) => void,
  prepare: (value: unknown) => unknown = (value) => value,
): T | undefined {
  if (body === undefined) return undefined
  if (body.type !== 'json') throw new SluiceError('media_type_unsupported')
  let value: unknown
  try {
    value = prepare(JSON.parse(body.text))
  } catch {
    throw new SluiceError('body_invalid', { detail: 'It is not JSON' })
  }
  check(value)
  return value as T
}
