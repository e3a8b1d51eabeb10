/**
 * Every limit that a client can reach: what it stops, what holds unless the operator says otherwise, and
 * what happens there. Each is an option under the same name; `docs/security.md` has the same table, and
 * a test compares the two. (Numbers that no client can reach stand in the `limits.ts` of their folder.)
 */

export interface Limit {
  /** As an operator would write it. */
  readonly fallback: string
  /** Kind of value, for --help. */
  readonly takes: 'number' | 'size' | 'duration' | 'rate'
  /** For --help. */
  readonly help: string
  /** The attack or accident that it stops. */
  readonly stops: string
  /** What whoever goes beyond it gets. */
  readonly answer: string
}

export const LIMITS = {
  // ── a request ──
  maxHeadSize: {
    fallback: '32kb',
    takes: 'size',
    help: 'head of one request: its first line and all headers',
    stops: 'memory filled with headers that never end',
    answer: '400 `request_invalid`, closed',
  },
  maxUrlLength: {
    fallback: '24kb',
    takes: 'size',
    help: 'URL of one request',
    stops: 'URLs that take long to parse and fill the logs of proxies',
    answer: '414 `url_too_long`',
  },
  headTimeout: {
    fallback: '8s',
    takes: 'duration',
    help: 'time in which the head of a request must have come',
    stops: 'slow-loris: connections held by a byte now and then',
    answer: '408 `body_timeout`, closed',
  },
  bodyTimeout: {
    fallback: '8s',
    takes: 'duration',
    help: 'time in which a body that is read whole must have come',
    stops: 'slow-loris by the body',
    answer: '408 `body_timeout`',
  },
  uploadTimeout: {
    fallback: '60s',
    takes: 'duration',
    help: 'silence after which a streamed body is given up',
    stops: 'uploads that hold a connection and send nothing',
    answer: '408 `body_timeout`; what came is appended',
  },
  maxEventSize: {
    fallback: '256kb',
    takes: 'size',
    help: 'data of one event',
    stops: 'an event that costs every reader of its channel too much, in streamed bodies as well',
    answer: '413 `event_too_large`',
  },
  maxBodySize: {
    fallback: '4mb',
    takes: 'size',
    help: 'body of one request that is read whole',
    stops: 'memory filled with bodies, with or without a length',
    answer: '413 `body_too_large`',
  },
  maxUploadSize: {
    fallback: '1gb',
    takes: 'size',
    help: 'a streamed body as a whole; 0 = no limit',
    stops: 'an upload without an end',
    answer: '413 `body_too_large`; what came is appended',
  },
  // ── streams ──
  maxStreams: {
    fallback: '20000',
    takes: 'number',
    help: 'streams open at one time',
    stops: 'file descriptors and memory used up',
    answer: '503 `streams_exhausted`',
  },
  maxStreamsPerSubject: {
    fallback: '100',
    takes: 'number',
    help: 'streams of one subject at one time; 0 = no limit',
    stops: 'one login that takes all slots',
    answer: '429 `streams_too_many`',
  },
  maxStreamsPerAddress: {
    fallback: '1000',
    takes: 'number',
    help: 'streams from one address at one time; 0 = no limit',
    stops: 'one machine that takes all slots; high, for a company may have one address',
    answer: '429 `streams_too_many`',
  },
  maxChannels: {
    fallback: '1000',
    takes: 'number',
    help: 'channels on one stream',
    stops: 'one request that makes the gateway follow any number of channels',
    answer: '400 `channels_too_many`',
  },
  streamRate: {
    fallback: '300/m',
    takes: 'rate',
    help: 'streams, polls and tickets that one subject may open; 0 = no limit',
    stops: 'openings in a loop, each of which reads the log',
    answer: '429 `rate_limited`',
  },
  maxPresent: {
    fallback: '10000',
    takes: 'number',
    help: 'connections that count as present on one channel',
    stops: 'a channel whose members cost each who opens it, and the store, too much',
    answer: 'it reads, and is not counted as present',
  },
  // ── publishing ──
  publishRate: {
    fallback: '100/s',
    takes: 'rate',
    help: 'events that one subject may publish; 0 = no limit',
    stops: 'one login that floods',
    answer: '429 `rate_limited`; a streamed body is slowed down',
  },
  channelRate: {
    fallback: '1000/s',
    takes: 'rate',
    help: 'events that all may publish on one channel together; 0 = no limit',
    stops: 'many logins that flood the readers of one channel',
    answer: '429 `rate_limited`; a streamed body is slowed down',
  },
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof LIMITS

/** Longest text of a token, in characters: what a cookie may hold twice. */
export const MAX_TOKEN_LENGTH = 8 * 1024
/** Longest subject, in characters: it stands in each event it publishes. */
export const MAX_SUBJECT_LENGTH = 256
/** Bytes of what a token says of its bearer to others, and of what they say of themselves: each who is present gets it. */
export const MAX_INFO_BYTES = 1024
/** Bytes of a body that holds options of one request, and of one that names many channels. */
export const OPTIONS_BYTES = 4 * 1024
export const CHANNELS_BYTES = 256 * 1024
/** Bytes of a body that somebody without credentials may send, where a ticket may be among its options. */
export const NAMELESS_BYTES = 16 * 1024
/** Bytes of a body that cost as much as an event: reading JSON takes time, whatever comes of it. */
export const BYTES_AN_EVENT = 16 * 1024
/** Longest record of a ticket, in characters: whoever may get one may get hundreds a minute. */
export const MAX_TICKET_LENGTH = 16 * 1024
/** ms in which a ticket must be redeemed. */
export const TICKET_REDEEM_MS = 30_000
/** ms that a ticket of a backend lives where it doesn't say, and at most. */
export const TICKET_TTL_MS = 3_600_000
export const TICKET_MAX_TTL_MS = 24 * 3_600_000
/** ms that a session is remembered after its last opening: a weekend with the laptop closed. */
export const SESSION_MS = 3 * 24 * 3_600_000
/** ms that a revocation lasts where nobody says. */
export const REVOCATION_MS = 24 * 3_600_000
/** ms before a stream's end by its token at which it is told. */
export const EXPIRING_MS = 30_000
/** Events that a run's channel keeps where no rule says otherwise: a generation is read from its start. */
export const RUN_EVENTS = 100_000
