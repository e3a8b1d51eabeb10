/** What every route is given. */
import type { Admin } from '../admin/admin.js'
import type { Access } from '../auth/access.js'
import type { Shared } from '../auth/shared.js'
import type { Hub } from '../hub/hub.js'
import type { Log } from '../log/log.js'
import type { Logger } from '../logger.js'
import type { Presence } from '../presence/presence.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Runs } from '../runs/runs.js'
import type { LiveSessions } from '../sessions/live.js'
import type { Count, Question } from '../workers/messages.js'

export interface RouteContext {
  readonly hub: Hub
  readonly log: Log
  readonly access: Access
  readonly admin: Admin
  readonly runs: Runs
  readonly rooms: Rooms
  readonly shared: Shared
  readonly sessions: LiveSessions
  readonly presence: Presence
  /** Whether whoever reads a channel is present there. */
  readonly hasPresence: (channel: string) => boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly logger: Logger
  readonly limits: {
    /** Channels on one stream. */
    readonly maxChannels: number
    /** Bytes of one event's data. */
    readonly maxEventBytes: number
    /** Milliseconds without a byte after which a streamed body is given up. */
    readonly uploadIdleMs: number
    /** Bytes of a streamed body; 0: no limit. */
    readonly maxUploadBytes: number
  }
  /** True from the moment the gateway shuts down. */
  readonly draining: () => boolean
  /** A sum over all workers of this machine. */
  readonly total: (question: Question) => Promise<Count>
}
