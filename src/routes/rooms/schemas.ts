/** Bodies and options of rooms. */
import { type Static, Type } from 'typebox'
import { MAX_MODERATORS, MAX_PARTICIPANTS } from '../../rooms/limits.js'
import { PARTICIPANT_PATTERN } from '../../rooms/names.js'

const strict = { additionalProperties: false }

const Data = Type.Record(Type.String(), Type.Unknown(), { description: 'A JSON object' })
const Muted = Type.Object(
  { audio: Type.Optional(Type.Boolean()), video: Type.Optional(Type.Boolean()) },
  { ...strict, description: '{"audio"?: true or false, "video"?: …}' },
)

/** Body of a join. */
export const JoinBody = Type.Object(
  {
    participant: Type.Optional(
      Type.String({
        pattern: PARTICIPANT_PATTERN,
        description: '1–128 characters of A–Z a–z 0–9 _ - . @ ~ = | +, but not . or ..',
      }),
    ),
    data: Type.Optional(Data),
    muted: Type.Optional(Muted),
  },
  strict,
)
export type JoinBody = Static<typeof JoinBody>

/** Options of leaving. */
export const LeaveOptions = Type.Object(
  {
    ban: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,4}[smh]$',
        description: 'For how long they are kept out: 30s, 10m, 24h, which is the most',
      }),
    ),
  },
  strict,
)
export type LeaveOptions = Static<typeof LeaveOptions>

const Kind = Type.Union([Type.Literal('audio'), Type.Literal('video')])

/** Body of a participant's change. */
export const ParticipantBody = Type.Object(
  {
    data: Type.Optional(Data),
    hand: Type.Optional(Type.Boolean({ description: 'true or false' })),
    muted: Type.Optional(Muted),
    role: Type.Optional(
      Type.Union([Type.Literal('participant'), Type.Literal('moderator')], {
        description: 'participant or moderator',
      }),
    ),
    mute: Type.Optional(
      Type.Array(Kind, {
        minItems: 1,
        maxItems: 2,
        uniqueItems: true,
        description: 'What they are asked to mute: ["audio"], ["video"] or both',
      }),
    ),
  },
  strict,
)
export type ParticipantBody = Static<typeof ParticipantBody>

/** Body of a room's change. */
export const RoomBody = Type.Object(
  {
    locked: Type.Optional(Type.Boolean({ description: 'true or false' })),
    maxParticipants: Type.Optional(
      Type.Union([Type.Integer({ minimum: 1, maximum: MAX_PARTICIPANTS }), Type.Null()], {
        description: `1–${MAX_PARTICIPANTS}, or null: as many as a room can hold`,
      }),
    ),
    moderators: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        maxItems: MAX_MODERATORS,
        uniqueItems: true,
        description: `Up to ${MAX_MODERATORS} subjects, or ids of participants`,
      }),
    ),
    data: Type.Optional(Data),
  },
  strict,
)
export type RoomBody = Static<typeof RoomBody>
