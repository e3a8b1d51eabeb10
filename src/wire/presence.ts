/** What is said of who is present: names, and the shapes that travel. */
import { isChannel, MAX_CHANNEL_LENGTH } from './channel.js'

const PREFIX = 'presence:'

/** Where the comings and goings of channels as a whole are told. */
export const OCCUPANCY = 'server:occupancy'

/** Somebody who is present. */
export interface PresenceMember {
  /** Its token's subject; the public id of its session or stream where it has none. */
  readonly id: string
  /** Its connections: tabs, devices. */
  readonly count: number
  /** Milliseconds since the epoch. */
  readonly since: number
  /** What its token says about it. */
  readonly info?: unknown
  /** What it says about itself. */
  readonly data?: unknown
}

/** Data of `presence.state`. */
export interface PresenceState {
  readonly channel: string
  /** True at this position: changes with a later id come on top of it. */
  readonly position: string
  readonly members: readonly PresenceMember[]
}

/** Data of `presence.diff`. */
export interface PresenceDiff {
  readonly channel: string
  readonly joined: readonly PresenceMember[]
  readonly left: readonly { readonly id: string; readonly reason: LeaveReason }[]
  /** As they are now. */
  readonly updated: readonly PresenceMember[]
}

/** `left`: said so, or can't come back. `timeout`: was gone for longer than the time of grace. */
export type LeaveReason = 'left' | 'timeout'

/** The channel on which changes of who is present on `channel` are told. */
export function presenceOf(channel: string): string {
  return PREFIX + channel
}

/** The channel whose presence a channel tells; undefined: it is an ordinary one. */
export function presentOn(name: string): string | undefined {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : undefined
}

/** Whether somebody can be present on a channel at all: one whose presence has a name, and is none itself. */
export function canHavePresence(channel: string): boolean {
  const named = PREFIX.length + channel.length <= MAX_CHANNEL_LENGTH
  return named && isChannel(channel) && !/^(?:presence|inbox|session|server):/.test(channel)
}
