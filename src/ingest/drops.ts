/** What is dropped is said, but a flood of wrong messages makes no flood of lines. */
import type { Logger } from '../logger.js'
import { DROPS_EVERY } from './limits.js'

export interface Drops {
  count(reason: string, channel: string, messages?: number): void
  /** Says what is unsaid. */
  stop(): void
}

export function createDrops(logger: Logger): Drops {
  const unsaid = new Map<string, { messages: number; channel: string }>()
  let timer: NodeJS.Timeout | undefined
  let total = 0

  function say(): void {
    for (const [reason, { messages, channel }] of unsaid) {
      logger.warn({ messages, reason, channel, total }, 'raw messages dropped')
    }
    unsaid.clear()
  }

  return {
    count(reason, channel, messages = 1) {
      total += messages
      const known = unsaid.get(reason)
      if (known === undefined) unsaid.set(reason, { messages, channel: channel.slice(0, 200) })
      else known.messages += messages
      if (timer !== undefined) return
      say()
      timer = setTimeout(() => {
        timer = undefined
        say()
      }, DROPS_EVERY)
      timer.unref()
    },
    stop() {
      clearTimeout(timer)
      say()
    },
  }
}
