/** What the primary and its workers say to each other, as JSON over the pipe that Node gives them. */
import type { Config } from '../config.js'

/** What one worker may want to know of all. */
export type Question =
  | { readonly kind: 'streams' }
  | { readonly kind: 'subscribers'; readonly channel: string }

export interface Count {
  readonly count: number
  /** A worker that should have been counted hasn't answered in time. */
  readonly partial: boolean
}

export type ToWorker =
  /** The configuration as the primary read it: the file may be another by the time a worker is replaced. */
  | {
      readonly type: 'begin'
      readonly number: number
      readonly config: Config
      /** A worker before it has served, and said how Redis is set. */
      readonly settingsTold: boolean
    }
  /** Say goodbye to all streams, and end. */
  | { readonly type: 'close' }
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  | ({ readonly type: 'total'; readonly id: number } & Count)

export type ToPrimary =
  /** It listens: what was said before, Node has dropped. */
  | { readonly type: 'here' }
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'failed'; readonly code: string | undefined; readonly message: string }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'answer'; readonly id: number; readonly count: number }
