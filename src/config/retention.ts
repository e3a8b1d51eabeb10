/** How much each channel keeps. */
import { RUN_EVENTS } from '../limits.js'
import type { Retention } from '../log/log.js'
import { compilePattern } from '../wire/channel.js'
import type { Config } from './types.js'

/** Channels whose retention is remembered; at the bound all are forgotten, for finding it anew is cheap. */
const REMEMBERED = 10_000

/**
 * How much each channel keeps: the first rule that matches, filled up with what holds for all. Runs keep
 * more: one that lacks its beginning is of use to nobody.
 */
export function createRetention(config: Config): (channel: string) => Retention {
  const base: Retention = { maxEvents: config.retentionEvents, maxAge: config.retentionAgeMs }
  const runs: Retention = { ...base, maxEvents: Math.max(base.maxEvents, RUN_EVENTS) }
  const usual = (channel: string) => (channel.startsWith('run:') ? runs : base)
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
      retention = rules.find((rule) => rule.matches(channel))?.retention ?? usual(channel)
      if (known.size >= REMEMBERED) known.clear()
      known.set(channel, retention)
    }
    return retention
  }
}
