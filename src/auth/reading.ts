/** The right that reading a channel asks for. */
import { presentOn } from '../wire/presence.js'
import type { Rights, Verb } from './rights.js'

/** Who is on a channel may be read by whoever has `presence` there. */
export function readingOf(channel: string): { readonly verb: Verb; readonly on: string } {
  const on = presentOn(channel)
  return on === undefined ? { verb: 'subscribe', on: channel } : { verb: 'presence', on }
}

export function mayRead(rights: Rights, channel: string): boolean {
  const { verb, on } = readingOf(channel)
  return rights.may(verb, on)
}
