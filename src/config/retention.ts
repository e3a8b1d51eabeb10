/** How much each channel keeps. */
import { RUN_EVENTS } from '../limits.js'
import type { Retention } from '../log/log.js'
import { compilePattern } from '../wire/channel.js'
import type { Config } from './types.js'

/** Channels whose retention is remembered; at the bound all are forgotten, for finding it anew is cheap. */
const REMEMBERED = 10_000

/** Of channels that only the gateway writes to: whoever missed more of them reads the state they are about. */
const OWN: Readonly<Record<string, Retention>> = {
  // Says no more than that there is news.
  'session:': { maxEvents: 10, maxAge: 60_000 },
  'presence:': { maxEvents: 1_000, maxAge: 600_000 },
  // A signal that is older than its addressee's grace was told to have expired.
  'inbox:': { maxEvents: 10_000, maxAge: 600_000 },
}

function ownOf(channel: string): Retention | undefined {
  return OWN[channel.slice(0, channel.indexOf(':') + 1)]
}

/**
 * How much each channel keeps: the first rule that matches, filled up with what holds for all. Runs keep
 * more: one that lacks its beginning is of use to nobody.
 */
export function createRetention(config: Config): (channel: string) => Retention {
  const base: Retention = { maxEvents: config.retentionEvents, maxAge: config.retentionAgeMs }
  const runs: Retention = { ...base, maxEvents: Math.max(base.maxEvents, RUN_EVENTS) }
  const usual = (channel: string) => (channel.startsWith('run:') ? runs : (ownOf(channel) ?? base))
  if (config.channels.length === 0) return usual
  const rules = config.channels.map((rule) => ({
    matches: compilePattern(rule.pattern),
    retention: {
      maxEvents: rule.retentionEvents ?? base.maxEvents,
      maxAge: rule.retentionAgeMs ?? base.maxAge,
    },
  }))
  const known = new Map<string, Retention>()
  return (channel) => {
    let retention = known.get(channel)
    if (retention === undefined) {
      const ruled = rules.find((rule) => rule.matches(channel))?.retention
      retention = ownOf(channel) ?? ruled ?? usual(channel)
      if (known.size >= REMEMBERED) known.clear()
      known.set(channel, retention)
    }
    return retention
  }
}
