/** On which channels whoever reads is present. */
import { compilePattern } from '../wire/channel.js'
import { canHavePresence } from '../wire/presence.js'
import type { Config } from './types.js'

/** Channels of which it is remembered; at the bound all are forgotten, for finding it anew is cheap. */
const REMEMBERED = 10_000

/** The first rule that matches says so. A name so long that its presence had none has no presence. */
export function createPresenceRule({ channels }: Config): (channel: string) => boolean {
  if (!channels.some(({ presence }) => presence === true)) return () => false
  const rules = channels.map(({ pattern, presence = false }) => {
    return { matches: compilePattern(pattern), presence }
  })
  const known = new Map<string, boolean>()
  return (channel) => {
    let presence = known.get(channel)
    if (presence === undefined) {
      const rule = rules.find(({ matches }) => matches(channel))
      presence = rule?.presence === true && canHavePresence(channel)
      if (known.size >= REMEMBERED) known.clear()
      known.set(channel, presence)
    }
    return presence
  }
}
