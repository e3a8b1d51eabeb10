/** `/v1/rooms/{room}`: who is in, what holds for all, everybody out. */
import type { FastifyInstance } from 'fastify'
import type { Body } from '../../plugins/bodies.js'
import { DATA_BYTES } from '../../rooms/limits.js'
import { roomChannel } from '../../rooms/names.js'
import { participantView, roomView } from '../../rooms/views.js'
import { formatCursor } from '../../wire/cursor.js'
import { SluiceError } from '../../wire/errors.js'
import { readJson } from '../body.js'
import type { RouteContext } from '../context.js'
import { admitEvents } from '../events/admission.js'
import { compileOptions } from '../schemas.js'
import { callerOf, checkData, type RoomParams, roomOf, uncached } from './common.js'
import { RoomBody } from './schemas.js'

/** Bytes of a body: data, and the names of a hundred moderators. */
const BODY_BYTES = 2 * DATA_BYTES + 64 * 1024

export function roomRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, log, rooms } = context
  const check = compileOptions(RoomBody)

  app.get<{ Params: RoomParams }>('/v1/rooms/:room', async (request, reply) => {
    const name = roomOf(context, request)
    await access.spending.open(request.sluiceIdentity, request.ip)
    const snapshot = await rooms.read(name)
    if (snapshot === undefined) throw new SluiceError('room_unknown')
    const { room, participants, away, position } = snapshot
    const cursor = new Map([[log.partitionOf(roomChannel(name)), position]])
    uncached(reply)
    return {
      room: roomView(name, room),
      participants: [...participants.values()].map((one) => ({
        ...participantView(one),
        away: away.has(one.incarnation),
      })),
      cursor: formatCursor(cursor, log.partitions),
    }
  })

  app.patch<{ Params: RoomParams; Body: Body | undefined }>(
    '/v1/rooms/:room',
    { bodyLimit: BODY_BYTES },
    async (request, reply) => {
      const name = roomOf(context, request)
      const { body } = request
      const patch = readJson<RoomBody>(body, check) ?? {}
      if (body?.type === 'json') checkData(body.text)
      await admitEvents(context, request, [{ channel: roomChannel(name) }])
      const room = await rooms.configure(name, callerOf(context, request, name), patch)
      uncached(reply)
      return roomView(name, room)
    },
  )

  app.delete<{ Params: RoomParams }>('/v1/rooms/:room', async (request, reply) => {
    const name = roomOf(context, request)
    await admitEvents(context, request, [{ channel: roomChannel(name) }])
    await rooms.close(name, callerOf(context, request, name))
    return reply.code(204).send()
  })
}
