/** The channel somebody names. */
import { isChannel, isHiddenChannel } from '../wire/channel.js'
import { SluiceError } from '../wire/errors.js'

/**
 * The name, checked. Throws `channel_missing`, `channel_invalid` or, for an inbox, `channel_reserved`:
 * asked here, where every request with a channel comes by, rather than with the rights, which a pattern
 * may grant without its owner having thought of them.
 */
export function channelOf(name: string | undefined): string {
  if (name === undefined) throw new SluiceError('channel_missing')
  if (!isChannel(name)) throw new SluiceError('channel_invalid')
  if (isHiddenChannel(name)) throw new SluiceError('channel_reserved')
  return name
}
