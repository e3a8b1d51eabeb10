/** `/v1/sessions`: what a stream has while it goes on: channels, and a token. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity } from '../auth/identity.js'
import { writeIdentity } from '../auth/passport.js'
import { checkRevoked } from '../auth/revocations.js'
import { byPartition } from '../hub/origin.js'
import { CHANNELS_BYTES, OPTIONS_BYTES, SESSION_MS } from '../limits.js'
import type { Body } from '../plugins/bodies.js'
import { readableChannel } from '../publish/channel.js'
import { SluiceError } from '../wire/errors.js'
import type { Position } from '../wire/position.js'
import { readJson } from './body.js'
import type { RouteContext } from './context.js'
import { ownerOf, redeem } from './events/admission.js'
import { presenceData, publicSession } from './events/request.js'
import { compileOptions, RenewalBody, SESSION_PATTERN, SessionChangeBody } from './schemas.js'

const SESSION = new RegExp(SESSION_PATTERN)

export function sessionRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, shared, sessions, presence, hasPresence, log, limits } = context
  const check = compileOptions(RenewalBody)
  const checkChange = compileOptions(SessionChangeBody)

  app.patch<{ Body: Body | undefined }>(
    '/v1/sessions',
    { bodyLimit: CHANNELS_BYTES },
    async (request, reply) => {
      const session = sessionOf(request)
      const body = readJson<SessionChangeBody>(request.body, checkChange) ?? {}
      const remove = channelsOf(body.remove)
      const add = channelsOf(body.add).filter((channel) => !remove.includes(channel))
      if (add.length > limits.maxChannels) throw new SluiceError('channels_too_many')
      const { sluiceIdentity: identity } = request
      await access.spending.open(identity, request.ip)
      checkRevoked(access.revocations, identity, session)
      await checkOwner(session, identity)
      if (add.length > 0) await access.admit(identity, 'subscribe', add, request.ip)
      // The moment of joining: what is published from here on is the stream's.
      const at = await positionsOf(add)
      if (body.presence !== undefined) await say(session, body.presence)
      // Nothing of the stream changes, and nobody has to be waited for.
      if (body.presence !== undefined && add.length + remove.length === 0) return { session }
      const { live, channels } = await sessions.alter(session, { add, remove }, at)
      // A stream that is open takes its presence along. Where none is, as when a page says goodbye, nobody does.
      if (!live) {
        await Promise.all(remove.filter(hasPresence).map((it) => presence.forgo(it, session)))
      }
      reply.code(live ? 200 : 202).header('cache-control', 'no-store')
      return { session, channels, live }
    },
  )

  /** What others see of a session from now on, by channel. */
  async function say(session: string, words: Readonly<Record<string, object | null>>) {
    const checked = Object.entries(words).map(([name, data]) => {
      const text = data === null ? undefined : presenceData(JSON.stringify(data))
      return [readableChannel(name), text] as const
    })
    for (const [channel, data] of checked) {
      if (await presence.update(channel, session, data)) continue
      throw new SluiceError('not_present', { extensions: { channel } })
    }
  }

  async function positionsOf(channels: readonly string[]): Promise<ReadonlyMap<string, Position>> {
    const groups = [...byPartition(log, channels)]
    const positions = await Promise.all(
      groups.map(async ([partition, names]) => {
        const { position } = await log.seek(partition, names, { from: 'latest' })
        return names.map((name) => [name, position] as const)
      }),
    )
    return new Map(positions.flat())
  }

  /** A session is whose it was when it began. */
  async function checkOwner(session: string, identity: Identity): Promise<string> {
    const owner = await shared.sessionOwner(session)
    if (owner === undefined) throw new SluiceError('session_unknown')
    if (owner !== ownerOf(identity)) throw new SluiceError('session_foreign')
    return owner
  }

  app.post<{ Body: Body | undefined }>(
    '/v1/sessions/token',
    { config: { tickets: true }, bodyLimit: OPTIONS_BYTES },
    async (request, reply) => {
      const session = sessionOf(request)
      const ticket = readJson<RenewalBody>(request.body, check)?.ticket
      const identity =
        ticket === undefined
          ? request.sluiceIdentity
          : (await redeem(access, ticket, session, request)).identity
      if (identity.kind === 'anonymous') throw new SluiceError('token_missing')
      await access.spending.open(identity, request.ip)
      checkRevoked(access.revocations, identity, session)
      const owner = await checkOwner(session, identity)
      // A stream may go on for longer than a session is remembered.
      await shared.claimSession(session, owner, SESSION_MS)
      // For the reconnects of an EventSource, whose URL holds the old ticket for ever.
      await access.tickets.renew(session, identity)
      const live = await shared.renew(session, writeIdentity(identity))
      reply.code(live ? 200 : 202).header('cache-control', 'no-store')
      const { expires } = identity
      return { session, expires: expires === Number.POSITIVE_INFINITY ? null : expires, live }
    },
  )
}

/** The channels that a body names, checked, each once. */
function channelsOf(names: readonly string[] = []): string[] {
  return [...new Set(names.map((name) => readableChannel(name)))]
}

/** The public id of the session in the header. */
export function sessionOf({ headers }: FastifyRequest): string {
  const header = headers['sluice-session']
  const secret = Array.isArray(header) ? header.join() : header
  if (secret !== undefined && SESSION.test(secret)) return publicSession(secret)
  throw new SluiceError('option_invalid', { detail: faultOf(secret) })
}

function faultOf(secret: string | undefined): string {
  const name = 'The header Sluice-Session'
  const rule = '22–128 characters of A–Z a–z 0–9 _ -'
  // Whoever joins a room may have no stream yet: then it is theirs to choose.
  if (secret === undefined) {
    return `${name} is missing. It holds what the stream is opened with, ?session=… (or ?ticket=…): ${rule}, chosen at random`
  }
  const { length } = secret
  if (length < 22 || length > 128) return `${name} has ${length} characters. It holds ${rule}`
  return `${name} has an odd character in it. It holds ${rule}`
}
