/** `POST /v1/rooms/{room}/signals`: from one participant to another. What is in them is never logged. */
import type { FastifyInstance } from 'fastify'
import { BYTES_AN_EVENT } from '../../limits.js'
import type { Body } from '../../plugins/bodies.js'
import { roomChannel } from '../../rooms/names.js'
import { readSignals } from '../../rooms/signals.js'
import { SluiceError } from '../../wire/errors.js'
import type { RouteContext } from '../context.js'
import { admitEvents } from '../events/admission.js'
import { sessionOf } from '../sessions.js'
import { callerOf, type RoomParams, roomOf } from './common.js'

export function signalRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, rooms } = context

  app.post<{ Params: RoomParams; Body: Body | undefined }>(
    '/v1/rooms/:room/signals',
    async (request) => {
      const room = roomOf(context, request)
      // Only as somebody.
      sessionOf(request)
      const caller = callerOf(context, request, room)
      const { body, sluiceIdentity: identity, ip } = request
      if (body?.type !== 'json') {
        throw new SluiceError('body_invalid', { detail: 'A signal, or an array of them, is JSON' })
      }
      // Paid before it is read, for reading is what it costs.
      const bulk = Math.floor(body.text.length / BYTES_AN_EVENT)
      if (bulk > 0) await access.spending.read(identity, ip, bulk)
      const signals = readSignals(body.text)
      const channel = roomChannel(room)
      await admitEvents(
        context,
        request,
        signals.map(() => ({ channel })),
      )
      return { results: await rooms.signal(room, caller, signals) }
    },
  )
}
