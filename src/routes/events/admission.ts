/** What is asked at the door of the event resources, in its order. */
import type { FastifyRequest } from 'fastify'
import type { Access } from '../../auth/access.js'
import type { EndReason } from '../../auth/audience.js'
import type { Identity } from '../../auth/identity.js'
import { checkRevoked } from '../../auth/revocations.js'
import type { Rights } from '../../auth/rights.js'
import type { Batch } from '../../auth/spending.js'
import type { Admitted } from '../../auth/tickets.js'
import type { Reach } from '../../hub/origin.js'
import { SESSION_MS } from '../../limits.js'
import { roomChannel } from '../../rooms/names.js'
import type { Recalled } from '../../sessions/recall.js'
import type { Held } from '../../sessions/record.js'
import { SluiceError } from '../../wire/errors.js'
import type { RouteContext } from '../context.js'
import { pageOf, type Subscription } from './request.js'

/** A reader that may read. */
export interface Reading {
  readonly identity: Identity
  readonly channels: readonly string[]
  /** Public id. */
  readonly session: string | undefined
  /** How far back; undefined: everything that is kept. */
  readonly reach: Reach | undefined
  /** By which right it goes on. Default: `subscribe`. */
  readonly does?: 'subscribe' | 'generate'
  /** Those of the channels that are its own by right. Default: all. */
  readonly rightful?: readonly string[] | undefined
  /** What its session brings. */
  readonly shared?: Shared | undefined
}

/** What a session brings to a reader. */
export interface Shared {
  /** Channels of the URL. */
  readonly named: readonly string[]
  readonly recalled: Recalled
}

/** Lets a reader in: who, what, how often, and in whose session. Throws what they are to be told. */
export async function admitReader(
  context: RouteContext,
  subscription: Subscription,
  request: FastifyRequest,
): Promise<Reading> {
  const { access, now, sessions } = context
  const { session, shares } = subscription
  const { identity, channels: named } = await whoReads(context, subscription, request)
  // First of all: a "no" costs as much as a "yes", here and where the hook is asked.
  await access.spending.open(identity, request.ip)
  await access.admit(identity, 'subscribe', named, request.ip)
  checkRevoked(access.revocations, identity, session)
  // The tolerance is for clocks; what lasts ends with the token, to the second.
  if (identity.expires <= now()) throw new SluiceError('token_expired')
  if (session !== undefined) await claimSession(context, session, identity)
  const known = session !== undefined && shares ? await sessions.recall(session) : undefined
  const recalled = known && borne(known, identity.rights)
  const byRight = new Set(recalled?.held.flatMap(byRightOf))
  if (byRight.size > 0) await access.admit(identity, 'subscribe', [...byRight], request.ip)
  const channels = recalled === undefined ? named : sessions.channelsWith(named, recalled)
  if (channels.length === 0 && recalled !== known) {
    throw new SluiceError('forbidden', { detail: '"signal" is not granted on its room any more' })
  }
  // Rooms, which it has joined since, are not to keep it out.
  const chosen = new Set([...named, ...byRight])
  if (chosen.size > context.limits.maxChannels) throw new SluiceError('channels_too_many')
  const { rights } = identity
  const mine = new Set(named)
  // What was put on the session on another ground has its beginning from there.
  const limited = (channel: string) => mine.has(channel) || byRight.has(channel)
  const reach = rights.limitsHistory
    ? (channel: string) => (limited(channel) ? rights.since(channel, now()) : 0)
    : undefined
  const shared = recalled && { named, recalled }
  const rightful = recalled && channels.filter(limited)
  return { identity, channels, session, reach, rightful, shared }
}

/** Whether rights bear what a session has. What it has by right is asked for by its name. */
export function bears(rights: Rights, { ground }: Held): boolean {
  return ground.by === 'right' || rights.may('signal', roomChannel(ground.room))
}

/** Rooms that whoever comes may not take part in are lost to them: another token may have joined. */
function borne(recalled: Recalled, rights: Rights): Recalled {
  const held = recalled.held.filter((it) => bears(rights, it))
  const lost = recalled.held.filter((it) => !bears(rights, it))
  if (lost.length === 0) return recalled
  return { ...recalled, held, lost: [...recalled.lost, ...lost.map(({ channel }) => channel)] }
}

function byRightOf({ channel, ground }: Held): readonly string[] {
  return ground.by === 'right' ? [channel] : []
}

async function whoReads(
  { access, limits }: RouteContext,
  { ticket, session, channels }: Subscription,
  request: FastifyRequest,
): Promise<{ identity: Identity; channels: readonly string[] }> {
  if (ticket === undefined) return { identity: request.sluiceIdentity, channels }
  const admitted = await redeem(access, ticket, session!, request)
  const named = channels.length > 0 ? channels : admitted.channels
  if (named.length > limits.maxChannels) throw new SluiceError('channels_too_many')
  return { identity: admitted.identity, channels: named }
}

/** Redeems a ticket; whoever comes with too many that are none is sent away unheard. */
export async function redeem(
  { spending, tickets }: Access,
  ticket: string,
  session: string,
  { ip, headers }: FastifyRequest,
): Promise<Admitted> {
  spending.guess(ip)
  try {
    return await tickets.redeem(ticket, session, pageOf(headers))
  } catch (error) {
    if ((error as SluiceError).code === 'ticket_invalid') spending.guessed(ip)
    throw error
  }
}

/** Who a session belongs to, as one text. */
export function ownerOf({ kind, subject }: Identity): string {
  return subject === undefined ? kind : `s ${subject}`
}

/** A session is whose it was when it began: a login that has lapsed doesn't go on as nobody. */
export async function claimSession(
  { shared }: RouteContext,
  session: string,
  identity: Identity,
): Promise<void> {
  const own = ownerOf(identity)
  const owner = await shared.claimSession(session, own, SESSION_MS)
  if (owner === own) return
  if (identity.kind === 'anonymous') {
    throw new SluiceError('token_missing', { detail: 'The session began with a login' })
  }
  throw new SluiceError('session_foreign')
}

/** Lets events in that may be published where they want to go: the hook's word, and the rate. */
export function admitEvents(
  { access }: RouteContext,
  request: FastifyRequest,
  drafts: Batch,
  paced = false,
): void | Promise<void> {
  const { sluiceIdentity: identity } = request
  if (identity.kind === 'open' || identity.kind === 'key') return
  // Rights were asked for draft by draft, when they were made.
  const judge = () => access.consult(identity, 'publish', () => channelsOf(drafts), request.ip)
  return access.spending.publish(identity, request.ip, drafts, paced, judge)
}

function channelsOf(drafts: Batch): readonly string[] {
  if (drafts.length === 1) return [drafts[0]!.channel]
  return [...new Set(drafts.map(({ channel }) => channel))]
}

/** What somebody is told whose rights ended while their request went on. */
export function endedBy(reason: EndReason): SluiceError {
  return new SluiceError(reason === 'revoked' ? 'token_revoked' : 'token_expired')
}
