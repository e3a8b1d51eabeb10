/** The channel somebody names. */
import { isChannel, isHiddenChannel } from '../wire/channel.js'
import { SluiceError } from '../wire/errors.js'

/** The name, checked. Throws `channel_missing` or `channel_invalid`. */
export function channelOf(name: string | undefined): string {
  if (name === undefined) throw new SluiceError('channel_missing')
  if (!isChannel(name)) throw new SluiceError('channel_invalid')
  return name
}

/** The same, of one that may be read by its name. Throws `channel_reserved` as well. */
export function readableChannel(name: string | undefined): string {
  const channel = channelOf(name)
  if (!isHiddenChannel(channel)) return channel
  throw new SluiceError('channel_reserved', {
    detail: 'Inboxes and sessions are read by whose they are, and not by their names',
  })
}
