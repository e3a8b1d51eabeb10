/** The right that reading a channel asks for. */
import { OCCUPANCY, presentOn } from '../wire/presence.js'
import type { Rights, Verb } from './rights.js'

/** Who is on a channel is read with `presence` there, and whether anybody is with `presence` on that channel. */
export function readingOf(channel: string): { readonly verb: Verb; readonly on: string } {
  if (channel === OCCUPANCY) return { verb: 'presence', on: channel }
  const on = presentOn(channel)
  return on === undefined ? { verb: 'subscribe', on: channel } : { verb: 'presence', on }
}

export function mayRead(rights: Rights, channel: string): boolean {
  const { verb, on } = readingOf(channel)
  return rights.may(verb, on)
}
