/** The channel somebody names. */
import { isChannel } from '../wire/channel.js'
import { SluiceError } from '../wire/errors.js'

/** The name, checked. Throws `channel_missing` or `channel_invalid`. */
export function channelOf(name: string | undefined): string {
  if (name === undefined) throw new SluiceError('channel_missing')
  if (!isChannel(name)) throw new SluiceError('channel_invalid')
  return name
}
