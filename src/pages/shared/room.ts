/** `?room=name` in the address: a channel of one's own beside the one that everybody is on. */

const asked = new URLSearchParams(location.search).get('room') ?? ''

/** Empty: everybody's. */
export const room = asked.replace(/[^\w-]+/g, '-').slice(0, 40)

export function channelOf<C extends string>(common: C): C | `${C}-${string}` {
  return room === '' ? common : `${common}-${room}`
}
