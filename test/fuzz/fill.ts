/**
 * Fills what the gateway may fill: its log up to its limit, and the pages that it keeps of channels which
 * are read. A cache that grows for minutes can't be told from a leak.
 */
import { post } from '../routes/support/ask.js'
import { startReader } from '../support/sse-reader.js'
import type { Door } from './door.js'
import { CHANNELS } from './shapes/shape.js'

/** Events; together more than the 32 MiB of pages and the log of a run. */
const EVENTS = 220
const SIZE = 200_000

export async function fillCaches(url: string, door: Door): Promise<void> {
  let seen = 0
  const reader = startReader({
    url,
    channels: CHANNELS,
    headers: door.publisher,
    keep: (what) => {
      if (what.kind === 'event' || (what.kind === 'control' && what.name === 'stream.live')) seen++
    },
  })
  await reader.until(() => seen > 0)
  const data = JSON.stringify('x'.repeat(SIZE))
  for (let i = 0; i < EVENTS; i++) {
    const channel = encodeURIComponent(CHANNELS[i % CHANNELS.length]!)
    const { status, text } = await post(`${url}/v1/events?channel=${channel}`, data, {
      ...door.publisher,
    })
    if (status !== 201) throw new Error(`${status} ${text}`)
  }
  await reader.until(() => seen > EVENTS)
  await reader.stop()
}
