/** The options of each resource: one TypeBox schema is the check, the type and the documentation. */
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { CHANNEL_ORDERS } from '../admin/merge.js'
import { MAX_INFO_BYTES, MAX_SUBJECT_LENGTH, TICKET_MAX_TTL_MS } from '../limits.js'
import { SluiceError } from '../wire/errors.js'

const Channel = Type.String({ description: 'A channel' })
const Cursor = Type.String({ description: 'A cursor, "earliest" or "latest"' })
/** What a client may call its session. */
export const SESSION_PATTERN = '^[A-Za-z0-9_-]{22,128}$'
const TICKET_PATTERN = '^[A-Za-z0-9_-]{43}$'
const strict = { additionalProperties: false }

/** Options of a subscription, as a query or as a JSON object. */
export const SubscribeOptions = Type.Object(
  {
    channel: Type.Optional(Type.Union([Channel, Type.Array(Channel)])),
    after: Type.Optional(Cursor),
    lastEventId: Type.Optional(Cursor),
    last_event_id: Type.Optional(Cursor),
    rewind: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]{0,5}|[1-9][0-9]{0,5}(s|m|h))$',
        description: '20 = the last 20 events of each channel; 90s, 5m, 2h = that much time',
      }),
    ),
    format: Type.Optional(Type.Union([Type.Literal('envelope'), Type.Literal('raw')])),
    mode: Type.Optional(Type.Union([Type.Literal('live'), Type.Literal('poll')])),
    wait: Type.Optional(
      Type.String({
        pattern: '^([0-9]|1[0-9]|2[0-5])$',
        description: 'Seconds to wait for news, 0–25',
      }),
    ),
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]{0,2}|1000)$',
        description: 'Events in one answer, 1–1000',
      }),
    ),
    session: Type.Optional(
      Type.String({
        pattern: SESSION_PATTERN,
        description: '22–128 characters of A–Z a–z 0–9 _ -',
      }),
    ),
    ticket: Type.Optional(
      Type.String({ pattern: TICKET_PATTERN, description: 'What POST /v1/tickets gave' }),
    ),
    presence: Type.Optional(
      Type.String({
        description: `What others see of you who are present with you: a JSON object of up to ${MAX_INFO_BYTES} bytes`,
      }),
    ),
  },
  strict,
)
export type SubscribeOptions = Static<typeof SubscribeOptions>

/** Body of a change to a session's channels. */
export const SessionChangeBody = Type.Object(
  {
    add: Type.Optional(Type.Array(Channel, { description: 'Channels to be added' })),
    remove: Type.Optional(Type.Array(Channel, { description: 'Channels to be taken away' })),
    presence: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.Object({}), Type.Null()]), {
        description: `By channel what others see of you there: an object of up to ${MAX_INFO_BYTES} bytes, or null`,
      }),
    ),
  },
  strict,
)
export type SessionChangeBody = Static<typeof SessionChangeBody>

/** Options of a publish request. */
export const PublishOptions = Type.Object(
  {
    channel: Type.Optional(Channel),
    name: Type.Optional(Type.String({ description: 'The event’s name' })),
    ephemeral: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')])),
  },
  strict,
)
export type PublishOptions = Static<typeof PublishOptions>

/** Options of a resource that is about one channel. */
export const OneChannel = Type.Object({ channel: Type.Optional(Channel) }, strict)
export type OneChannel = Static<typeof OneChannel>

/** Options of a run's item. */
export const RunEventOptions = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'The event’s name' })),
    lease: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]?|[12][0-9]{2}|300)$',
        description: 'Seconds until the next item at the latest, 1–300',
      }),
    ),
    fence: Type.Optional(
      Type.String({ pattern: '^[1-9][0-9]{0,8}$', description: 'What an earlier answer said' }),
    ),
  },
  strict,
)
export type RunEventOptions = Static<typeof RunEventOptions>

/** Body of a run's end. */
export const RunEndBody = Type.Object(
  {
    state: Type.Optional(
      Type.Union([Type.Literal('done'), Type.Literal('error'), Type.Literal('aborted')], {
        description: 'done, error or aborted',
      }),
    ),
    error: Type.Optional(
      Type.Object(
        {
          code: Type.String({ pattern: '^[a-z0-9_]{1,50}$' }),
          message: Type.String({ maxLength: 500 }),
        },
        { ...strict, description: '{"code":"a_word","message":"up to 500 characters"}' },
      ),
    ),
  },
  strict,
)
export type RunEndBody = Static<typeof RunEndBody>

const { after, lastEventId, last_event_id, format, mode, wait, limit, session, ticket } =
  SubscribeOptions.properties
/** Options of reading a run. */
export const RunReadOptions = Type.Object(
  { after, lastEventId, last_event_id, format, mode, wait, limit, session, ticket },
  strict,
)
export type RunReadOptions = Static<typeof RunReadOptions>

/** Options of looking at one, and of stopping it. */
export const RunTicketOptions = Type.Object({ session, ticket }, strict)
export type RunTicketOptions = Static<typeof RunTicketOptions>

const Rows = Type.String({
  pattern: '^([1-9][0-9]?|[1-4][0-9]{2}|500)$',
  description: 'Rows in the answer, 1–500',
})

/** Options of the list of channels. */
export const AdminChannelOptions = Type.Object(
  {
    prefix: Type.Optional(
      Type.String({ maxLength: 200, description: 'What their names begin with' }),
    ),
    sort: Type.Optional(
      Type.Union(
        CHANNEL_ORDERS.map((order) => Type.Literal(order)),
        { description: CHANNEL_ORDERS.join(', ') },
      ),
    ),
    limit: Type.Optional(Rows),
  },
  strict,
)
export type AdminChannelOptions = Static<typeof AdminChannelOptions>

/** Options of the list of streams. */
export const AdminStreamOptions = Type.Object(
  {
    node: Type.Optional(Type.String({ maxLength: 64, description: 'The id of a node' })),
    limit: Type.Optional(Rows),
  },
  strict,
)
export type AdminStreamOptions = Static<typeof AdminStreamOptions>

/** Body of a close. */
export const CloseBody = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 200, description: 'Up to 200 characters' })) },
  strict,
)
export type CloseBody = Static<typeof CloseBody>

/** Body of a request for a ticket. */
export const TicketBody = Type.Object(
  {
    channels: Type.Union(
      [Type.Array(Channel, { minItems: 1 }), Type.Record(Type.String(), Type.Array(Type.String()))],
      {
        description: 'Channels that may be read: a list, or from a backend rights as in a token',
      },
    ),
    subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_SUBJECT_LENGTH,
        description: `Whom it is for: 1–${MAX_SUBJECT_LENGTH} characters`,
      }),
    ),
    origin: Type.Optional(
      Type.String({ maxLength: 300, description: 'Origin of the page, e.g. https://app.example' }),
    ),
    info: Type.Optional(
      Type.Object(
        {},
        {
          description: `What others see of them who are present with them: an object of up to ${MAX_INFO_BYTES} bytes`,
        },
      ),
    ),
    ttl: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: TICKET_MAX_TTL_MS / 1000,
        description: `Seconds, 1–${TICKET_MAX_TTL_MS / 1000}`,
      }),
    ),
  },
  strict,
)
export type TicketBody = Static<typeof TicketBody>

/** Body of a token's renewal. */
export const RenewalBody = Type.Object(
  {
    ticket: Type.Optional(
      Type.String({ pattern: TICKET_PATTERN, description: 'What POST /v1/tickets gave' }),
    ),
  },
  strict,
)
export type RenewalBody = Static<typeof RenewalBody>

const revoked = {
  subject: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: MAX_SUBJECT_LENGTH,
      description: `A subject: 1–${MAX_SUBJECT_LENGTH} characters`,
    }),
  ),
  session: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'The public id of a session, which stream.ready shows',
    }),
  ),
  jti: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'The id of a token: 1–256 characters',
    }),
  ),
}
/** What a revocation is about: one of the three. */
export const RevocationTarget = Type.Object(revoked, strict)
export type RevocationTarget = Static<typeof RevocationTarget>
/** Body of a revocation. */
export const RevocationBody = Type.Object(
  {
    ...revoked,
    until: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Seconds since the epoch, as "exp" of a token' }),
    ),
  },
  strict,
)
export type RevocationBody = Static<typeof RevocationBody>

type AnyObject = ReturnType<typeof Type.Object>
type Check = ReturnType<typeof Compile<AnyObject>>

/** What an option's schema says of itself, found by the place of an error: `/wait`. */
function describe(schema: AnyObject, name: string): string {
  const property = schema.properties[name] as { description?: string } | undefined
  if (property !== undefined) return property.description ?? 'another value is needed'
  return `known are ${Object.keys(schema.properties).join(', ')}`
}

/** A check that throws `option_invalid`, naming the option. */
export function compileOptions(schema: AnyObject): (value: unknown) => void {
  const check = Compile(schema)
  return (value) => {
    if (check.Check(value)) return
    throw new SluiceError('option_invalid', { detail: explain(schema, check, value) })
  }
}

function explain(schema: AnyObject, check: Check, value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'The options must be a JSON object'
  }
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(schema.properties, name))
  if (unknown !== undefined) {
    return `There is no option ${JSON.stringify(unknown.slice(0, 40))}: ${describe(schema, unknown)}`
  }
  const [first] = check.Errors(value)
  if (first?.keyword === 'required' && first.instancePath === '') {
    const [missing = ''] = first.params.requiredProperties
    return `Option "${missing}" is missing: ${describe(schema, missing)}`
  }
  const name = first?.instancePath.split('/')[1] ?? ''
  return `Option "${name}": ${describe(schema, name)}`
}

/** Fastify's validator compiler for these schemas: no conversion, nothing removed in silence. */
export function validatorCompiler({ schema }: { schema: unknown }) {
  const check = compileOptions(schema as AnyObject)
  return (value: unknown) => {
    try {
      check(value)
      return { value }
    } catch (error) {
      return { error: error as Error }
    }
  }
}
