/** placeholder */
import type { Feed, FeedOptions } from '../feed.js'
import { createFeed } from '../feed.js'
import type { ConnectOptions } from '../types.js'
export function sharing(_options: ConnectOptions): object | undefined {
  return undefined
}
export function createSharedFeed(_s: object, options: FeedOptions): Feed {
  return createFeed(options)
}
