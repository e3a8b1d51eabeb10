/**
 * Errors as data with advice (RFC 9457, problem details): a stable code, a status, whether the very
 * same request may succeed later, and what to do.
 */

interface Row {
  readonly status: number
  readonly title: string
  readonly advice: string
  /** The same request may succeed later without being changed. */
  readonly retryable?: true
}

const TABLE = {
  channel_invalid: {
    status: 400,
    title: 'Not a channel name',
    advice: 'Use 1–200 characters of A–Z a–z 0–9 _ - . : @ ~ = | +, the first a letter or a digit.',
  },
  channel_missing: {
    status: 400,
    title: 'No channel named',
    advice: 'Name at least one channel: ?channel=…',
  },
  channel_reserved: {
    status: 403,
    title: 'The channel belongs to the server',
    advice:
      'Channels beginning with run:, room:, inbox:, presence:, session: or server: have resources of their own.',
  },
  channel_closed: {
    status: 409,
    title: 'The channel is closed',
    advice: 'Its producer ended it. Publish on another channel, or DELETE this one to begin anew.',
  },
  fenced: {
    status: 409,
    title: 'Another producer has taken over',
    advice: 'Stop sending: nothing more of it is stored. Only a new PUT takes over in turn.',
  },
  channels_too_many: {
    status: 400,
    title: 'Too many channels on one stream',
    advice: 'Open several streams, or publish to fewer channels.',
  },
  cursor_invalid: {
    status: 400,
    title: 'Not a cursor',
    advice: 'Send back a cursor that this gateway gave out, or "earliest" or "latest".',
  },
  cursor_expired: {
    status: 410,
    title: 'Events after this cursor are gone',
    advice:
      'A raw stream can’t announce a gap. Open again without a cursor, or use format=envelope.',
  },
  option_invalid: {
    status: 400,
    title: 'Wrong option',
    advice: 'See the protocol page for the options of this resource.',
  },
  body_invalid: {
    status: 400,
    title: 'The body can’t be read',
    advice: 'Send what the Content-Type promises, in UTF-8.',
  },
  event_invalid: {
    status: 400,
    title: 'Not an event',
    advice: 'An event is {"channel", "data", "name"?, "key"?, "ephemeral"?} and nothing else.',
  },
  event_too_large: {
    status: 413,
    title: 'The event is too large',
    advice: 'Send a reference to large data, or have the operator raise the limit.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    advice: 'Send fewer events at once, or stream them as application/x-ndjson.',
  },
  body_timeout: {
    status: 408,
    title: 'The body did not arrive in time',
    advice: 'Send it again, without pauses.',
    retryable: true,
  },
  media_type_unsupported: {
    status: 415,
    title: 'Content-Type not supported',
    advice:
      'Use application/json, text/plain, application/x-ndjson or text/event-stream, uncompressed.',
  },
  not_acceptable: {
    status: 406,
    title: 'No such representation',
    advice: 'Accept text/event-stream or application/json.',
  },
  key_conflict: {
    status: 422,
    title: 'The idempotency key was used for another event',
    advice: 'Use a new key for a new event; repeat a key only with the same body.',
  },
  key_invalid: {
    status: 400,
    title: 'Not an idempotency key',
    advice: 'Use 1–200 visible ASCII characters.',
  },
  origin_forbidden: {
    status: 403,
    title: 'Origin not allowed',
    advice: 'Add the page’s origin to SLUICE_CORS_ORIGINS.',
  },
  token_missing: {
    status: 401,
    title: 'No credentials',
    advice: 'Send "Authorization: Bearer <token>", the cookie, or a ticket from POST /v1/tickets.',
  },
  token_invalid: {
    status: 401,
    title: 'The token is not accepted',
    advice: 'Have your backend issue another one.',
  },
  token_expired: {
    status: 401,
    title: 'The token has expired',
    advice: 'Get a fresh one, and come back with the same cursor.',
  },
  token_revoked: {
    status: 401,
    title: 'The token was revoked',
    advice: 'Whoever may do so has ended this login.',
  },
  ticket_invalid: {
    status: 401,
    title: 'The ticket is not accepted',
    advice: 'A ticket opens one session, from one origin, within 30 seconds. Get another one.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    advice: 'Whoever issued the credentials decides what they grant.',
  },
  host_forbidden: {
    status: 403,
    title: 'The gateway is not known by this name',
    advice: 'Add the name in the Host header to SLUICE_ALLOWED_HOSTS.',
  },
  session_foreign: {
    status: 403,
    title: 'The session belongs to somebody else',
    advice: 'Come with the login that opened it, or choose a new session.',
  },
  not_present: {
    status: 409,
    title: 'The session is not present on the channel',
    advice: 'Open a stream on it with this session first, with the right "presence" there.',
  },
  presence_off: {
    status: 404,
    title: 'Nobody is present on this channel',
    advice: 'A rule of the configuration with "presence": true makes its readers present.',
  },
  run_unknown: {
    status: 404,
    title: 'No such run',
    advice: 'A run begins with PUT /v1/runs/{id}, with its first event, or through the relay.',
  },
  run_exists: {
    status: 409,
    title: 'There is such a run already',
    advice: 'Choose another id, or leave it to the gateway.',
  },
  run_ended: {
    status: 409,
    title: 'The run has ended',
    advice: 'GET /v1/runs/{id} says how. Another generation takes a new id.',
  },
  run_incomplete: {
    status: 400,
    title: 'The body ended before the generation did',
    advice: 'Its format has a word for the end, and that didn’t come.',
  },
  run_pending: {
    status: 409,
    title: 'The first request with this key is still waiting for its upstream',
    advice: 'Try again after the time in Retry-After, with the same key.',
    retryable: true,
  },
  run_expired: {
    status: 410,
    title: 'The events of the run are gone',
    advice: 'GET /v1/runs/{id} has its end and its text.',
  },
  room_invalid: {
    status: 400,
    title: 'Not a room or a participant',
    advice:
      'Use 1–100 characters of A–Z a–z 0–9 _ - . @ ~ = | + for a room, 1–128 for a participant, but not . or ..',
  },
  room_unknown: {
    status: 404,
    title: 'No such room',
    advice: 'A room begins with the first who joins: POST /v1/rooms/{room}/participants.',
  },
  room_locked: {
    status: 403,
    title: 'The room is locked',
    advice: 'A moderator opens it with PATCH /v1/rooms/{room} and {"locked":false}.',
  },
  room_full: {
    status: 409,
    title: 'The room is full',
    advice: 'Join when somebody has left, or have a moderator raise maxParticipants.',
  },
  participant_taken: {
    status: 409,
    title: 'Another one takes part as that',
    advice: 'Choose another id, or leave it to the gateway.',
  },
  participant_banned: {
    status: 403,
    title: 'Kept out of the room',
    advice: 'A moderator has said so. The member "until" says for how long.',
  },
  participant_unknown: {
    status: 404,
    title: 'Nobody like that is in the room',
    advice: 'Join with POST /v1/rooms/{room}/participants and the same Sluice-Session.',
  },
  signal_invalid: {
    status: 400,
    title: 'Not a signal',
    advice: 'A signal is {"to", "toIncarnation"?, "type", "seq"?, "messageId", "data"?}.',
  },
  signal_out_of_order: {
    status: 409,
    title: 'Signals before this one are missing',
    advice: 'Send again from the number in "expected" on, one request at a time.',
  },
  upstream_unknown: {
    status: 404,
    title: 'No such upstream',
    advice: 'Upstreams stand in the configuration file, under "upstreams".',
  },
  upstream_forbidden: {
    status: 403,
    title: 'The upstream is not open for this',
    advice: 'The methods and paths that may be reached stand in the configuration, under "allow".',
  },
  upstream_refused: {
    status: 502,
    title: 'The upstream refuses the gateway',
    advice: 'It is the operator’s to mend: the gateway’s log says what to look at.',
  },
  upstream_failed: {
    status: 502,
    title: 'The upstream can’t be used',
    advice: 'Nothing was generated as far as the gateway knows. Its log has the details.',
    retryable: true,
  },
  upstream_timeout: {
    status: 504,
    title: 'The upstream does not answer',
    advice: 'Whether something was generated is unknown. Its log has the details.',
    retryable: true,
  },
  session_unknown: {
    status: 404,
    title: 'No such session',
    advice: 'A session begins with the first stream that names it: ?session=…',
  },
  session_ended: {
    status: 410,
    title: 'The session is over',
    advice:
      'The server has ended its stream for good. Begin another one, with a secret of its own.',
  },
  url_too_long: {
    status: 414,
    title: 'The URL is too long',
    advice: 'POST /v1/events/stream takes the same options as JSON.',
  },
  rate_limited: {
    status: 429,
    title: 'Too much in too short a time',
    advice: 'Nothing of this request was done. Try again after the time in Retry-After.',
    retryable: true,
  },
  streams_too_many: {
    status: 429,
    title: 'Too many streams at once',
    advice: 'Close one, or share one stream between tabs.',
    retryable: true,
  },
  authorization_unavailable: {
    status: 503,
    title: 'Nobody can say whether this is allowed',
    advice: 'Nothing of this request was done. Try again after the time in Retry-After.',
    retryable: true,
  },
  not_found: {
    status: 404,
    title: 'No such resource',
    advice: 'The resources are listed in the protocol page; the first is /v1/events.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed here',
    advice: 'The Allow header lists the methods of this resource.',
  },
  request_invalid: {
    status: 400,
    title: 'The request can’t be read',
    advice: 'Send well-formed HTTP/1.1.',
  },
  streams_exhausted: {
    status: 503,
    title: 'All stream slots are taken',
    advice: 'Try again after the time in Retry-After.',
    retryable: true,
  },
  overloaded: {
    status: 503,
    title: 'Too much is waiting to be stored',
    advice: 'Nothing of this request was stored. Try again after the time in Retry-After.',
    retryable: true,
  },
  draining: {
    status: 503,
    title: 'The gateway is shutting down',
    advice: 'Try again: another node, or this one after its restart, answers.',
    retryable: true,
  },
  log_unavailable: {
    status: 503,
    title: 'The event log can’t be reached',
    advice:
      'Whether the request took effect is unknown. Repeat it, with the same Idempotency-Key if it publishes.',
    retryable: true,
  },
  internal: {
    status: 500,
    title: 'Something went wrong in the gateway',
    advice: 'The gateway’s log has the details.',
  },
} as const satisfies Record<string, Row>

/** Stable: programs may rely on it. */
export type ErrorCode = keyof typeof TABLE

/** An `application/problem+json` document. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  /** What went wrong here and what to do. */
  readonly detail: string
  /** The very same request may succeed later. */
  readonly retryable: boolean
  readonly [extension: string]: unknown
}

export interface SluiceErrorOptions {
  /** What exactly is wrong; the table's advice follows it. Never holds what another client sent. */
  readonly detail?: string
  /** Instead of the table's: where the same fault came in by another way than HTTP. */
  readonly advice?: string
  /** Members added to the problem document. */
  readonly extensions?: Readonly<Record<string, unknown>>
  /** Seconds for `Retry-After`. Default where retryable: 1. */
  readonly retryAfter?: number
  readonly cause?: unknown
}

/** The one error class: what a client may see of a failure. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError'
  readonly code: ErrorCode
  readonly status: number
  readonly retryable: boolean
  /** Seconds. */
  readonly retryAfter: number | undefined
  readonly extensions: Readonly<Record<string, unknown>>
  /** What exactly is wrong, without advice. */
  readonly detail: string | undefined
  /** What to do. */
  readonly advice: string

  constructor(code: ErrorCode, options: SluiceErrorOptions = {}) {
    const row: Row = TABLE[code]
    const advice = options.advice ?? row.advice
    super(options.detail === undefined ? advice : `${options.detail}. ${advice}`, {
      cause: options.cause,
    })
    this.detail = options.detail
    this.advice = advice
    this.code = code
    this.status = row.status
    this.retryable = row.retryable === true
    this.retryAfter = options.retryAfter ?? (this.retryable ? 1 : undefined)
    this.extensions = options.extensions ?? {}
  }

  /** The same with more to say; members are added to those that it has. */
  but({ extensions = {}, ...changes }: SluiceErrorOptions): SluiceError {
    const { detail, advice, retryAfter, cause } = this
    return new SluiceError(this.code, {
      ...(detail !== undefined && { detail }),
      ...(retryAfter !== undefined && { retryAfter }),
      ...{ advice, cause },
      ...changes,
      extensions: { ...this.extensions, ...extensions },
    })
  }

  /** The same of a part of what was sent: `where` stands in front of what is wrong. */
  of(where: string, extensions: Readonly<Record<string, unknown>> = {}): SluiceError {
    const detail = this.detail === undefined ? where : `${where}: ${this.detail}`
    return this.but({ detail, extensions })
  }

  /** The document for the body. */
  toProblem(): Problem {
    return {
      ...this.extensions,
      type: `urn:sluice:error:${this.code}`,
      title: TABLE[this.code].title,
      status: this.status,
      code: this.code,
      detail: this.message,
      retryable: this.retryable,
    }
  }
}

/** Every code with its status and title, for documentation and tests. */
export const ERROR_TABLE: Readonly<Record<ErrorCode, Row>> = TABLE
