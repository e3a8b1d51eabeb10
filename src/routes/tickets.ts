/** `POST /v1/tickets`: what a page opens a stream with that can send no headers. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity } from '../auth/identity.js'
import { infoText } from '../auth/info.js'
import { compileRights, narrowed, type Rights, RightsFault } from '../auth/rights.js'
import { CHANNELS_BYTES, TICKET_TTL_MS } from '../limits.js'
import type { Body } from '../plugins/bodies.js'
import { readableChannel } from '../publish/channel.js'
import { isRoomChannel } from '../rooms/names.js'
import { SluiceError } from '../wire/errors.js'
import { presentOn } from '../wire/presence.js'
import { readJson } from './body.js'
import type { RouteContext } from './context.js'
import { compileOptions, TicketBody } from './schemas.js'

type TicketRequest = FastifyRequest<{ Body: Body | undefined }>

export function ticketRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, limits, now } = context
  const check = compileOptions(TicketBody)

  app.post<{ Body: Body | undefined }>(
    '/v1/tickets',
    { bodyLimit: CHANNELS_BYTES },
    async (request, reply) => {
      const { sluiceIdentity: holder } = request
      if (holder.kind === 'anonymous') throw new SluiceError('token_missing')
      await access.spending.open(holder, request.ip)
      const body = readJson<TicketBody>(request.body, check)
      if (body === undefined) throw new SluiceError('body_invalid', { detail: 'There is no body' })
      const origin = originOf(body, request)
      const channels = Array.isArray(body.channels) ? body.channels.map(readableChannel) : []
      if (channels.some((it) => presentOn(it) !== undefined)) {
        throw new SluiceError('option_invalid', {
          detail: 'Who is present comes with the channel itself: list that',
        })
      }
      if (channels.length > limits.maxChannels) throw new SluiceError('channels_too_many')
      // A room that it takes part in comes by joining.
      const { rights } = holder
      const read = channels.filter(
        (it) => rights.may('subscribe', it) || !(isRoomChannel(it) && rights.may('signal', it)),
      )
      await access.admit(holder, 'subscribe', read, request.ip)
      const identity = { ...holder, kind: 'ticket' as const, ...terms(holder, body, channels) }
      const { ticket, redeemBy, expires } = await access.tickets.issue(identity, channels, origin)
      reply.code(201).header('cache-control', 'no-store')
      return { ticket, redeemBy, expires }
    },
  )

  /** Whom the ticket is for, what it grants and until when. */
  function terms(
    { kind, subject, rights, expires, info }: Identity,
    body: TicketBody,
    channels: readonly string[],
  ): Pick<Identity, 'subject' | 'rights' | 'expires' | 'info'> {
    if (kind === 'key' || kind === 'open') {
      return {
        subject: body.subject,
        info: infoOf(body),
        rights: rightsOf(body, rights, channels),
        expires: now() + (body.ttl === undefined ? TICKET_TTL_MS : body.ttl * 1000),
      }
    }
    if (
      body.subject !== undefined ||
      body.info !== undefined ||
      body.ttl !== undefined ||
      !Array.isArray(body.channels)
    ) {
      throw new SluiceError('option_invalid', {
        detail:
          '"subject", "info", "ttl" and rights are a backend’s to give: with a token, list the channels',
      })
    }
    return { subject, info, rights: rightsOf(body, rights, channels), expires }
  }
}

function rightsOf({ channels: given }: TicketBody, own: Rights, channels: readonly string[]) {
  if (Array.isArray(given))
    return narrowed(own, channels, ['subscribe', 'history', 'presence', 'signal', 'stop'])
  try {
    return compileRights({ channels: given }, undefined)
  } catch (error) {
    if (!(error instanceof RightsFault)) throw error
    throw new SluiceError('option_invalid', { detail: `"channels": ${error.message}` })
  }
}

function infoOf({ info }: TicketBody): string | undefined {
  try {
    return info === undefined ? undefined : infoText(info)
  } catch (error) {
    if (!(error instanceof RightsFault)) throw error
    throw new SluiceError('option_invalid', { detail: error.message })
  }
}

/** The page that asks for a ticket is the one that may use it; a backend says which. */
function originOf({ origin: named }: TicketBody, request: TicketRequest): string | undefined {
  const { origin = named } = request.headers
  if (named !== undefined && named !== origin) {
    throw new SluiceError('option_invalid', { detail: '"origin" is another than this page’s' })
  }
  if (named !== undefined && !(URL.canParse(named) && new URL(named).origin === named)) {
    throw new SluiceError('option_invalid', {
      detail: '"origin" is not one, as https://app.example',
    })
  }
  return origin
}
