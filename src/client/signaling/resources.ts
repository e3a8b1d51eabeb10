/** Rooms as they travel over HTTP and on the stream: what the gateway says, and how it is asked. */
import { GatewayError, gatewayError, resourceUrl } from '../gateway.js'
import { createHeaders, type Token } from '../token.js'

export type Role = 'participant' | 'moderator'
export type MediaKind = 'audio' | 'video'
/** What somebody says of their own media. The others believe it; nobody can enforce it. */
export type Muted = Readonly<Record<MediaKind, boolean>>
/** What an application keeps with a participant or a room: a name, a colour. */
export type Data = Readonly<Record<string, unknown>>

export interface Participant {
  readonly id: string
  /** Since when, in a manner of speaking: another joining of the same participant has another one. */
  readonly incarnation: string
  readonly role: Role
  readonly data: Data
  /** Raised. */
  readonly hand: boolean
  readonly muted: Muted
  /** Milliseconds since the epoch. */
  readonly joined: number
  /** Their connection is gone and may come back. Only a snapshot says so. */
  readonly away?: boolean | undefined
  /** Subject of the token it joined with. */
  readonly sender?: string | undefined
}

export interface RoomInfo {
  readonly name: string
  /** Nobody else may join. */
  readonly locked: boolean
  /** Null: as many as the gateway allows. */
  readonly maxParticipants: number | null
  /** Participants or subjects that moderate, besides those whose token says so. */
  readonly moderators: readonly string[]
  readonly data?: Data | undefined
}

/** Why somebody isn't in a room any more. */
export type LeaveReason = 'left' | 'timeout' | 'kicked' | 'replaced' | 'closed'

export interface Joined {
  readonly room: RoomInfo
  readonly participant: Participant
  readonly participants: readonly Participant[]
  readonly iceServers: readonly RTCIceServer[]
  readonly iceTransportPolicy: RTCIceTransportPolicy
  /** Seconds for which the credentials in `iceServers` count. */
  readonly ttl: number
  readonly channels: readonly string[]
  /** The snapshot is true at it. */
  readonly cursor: string
}

/** One signal as it is posted. */
export interface SignalItem {
  readonly to: string
  readonly toIncarnation: string
  readonly type: string
  readonly seq: number
  readonly messageId: string
  readonly data: unknown
}

export interface SignalResult {
  readonly messageId: string
  readonly status: 'delivered' | 'queued' | 'gone' | 'stale'
  readonly duplicate: boolean
}

/** Data of a `signal.…` event. */
export interface SignalEnvelope {
  readonly from: string
  readonly fromIncarnation: string
  readonly data: unknown
}

export interface IceServers {
  readonly iceServers: readonly RTCIceServer[]
  readonly ttl: number
  readonly iceTransportPolicy: RTCIceTransportPolicy
}

export interface RequestOptions {
  readonly url: string | URL
  readonly room: string
  readonly session: string
  readonly token?: Token | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** Requests to one room, as one session. They reject with a GatewayError or a network error. */
export type Resources = ReturnType<typeof createResources>

export function createResources(options: RequestOptions) {
  const headersNow = createHeaders(options.headers, options.token)
  /** Those of the last request: a page that is going away has no time to ask for a token. */
  let last: Headers | undefined
  const room = `/v1/rooms/${encodeURIComponent(options.room)}`
  const participant = (id: string) => `${room}/participants/${encodeURIComponent(id)}`

  function send(method: string, resource: string, headers: Headers, init: RequestInit) {
    if (init.body !== undefined) headers.set('content-type', 'application/json')
    headers.set('sluice-session', options.session)
    const url = resourceUrl(options.url, resource.replace(/\?.*/, ''))
    url.search = /\?.*/.exec(resource)?.[0] ?? ''
    return (options.fetch ?? fetch)(url, { ...init, method, headers, cache: 'no-store' })
  }

  async function ask<Answer>(
    method: string,
    resource: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const headers = await headersNow(signal)
    last = new Headers(headers)
    const response = await send(method, resource, headers, {
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    if (!response.ok) throw await gatewayError(response)
    if (response.status === 204) return undefined as Answer
    try {
      return (await response.json()) as Answer
    } catch (error) {
      // Cut short: whether it took effect is unknown, and asking again is safe.
      throw new GatewayError(502, `the answer can't be read: ${(error as Error).message}`)
    }
  }

  return {
    join: (wish: object, signal?: AbortSignal) =>
      ask<Joined>('POST', `${room}/participants`, wish, signal),
    read: (signal?: AbortSignal) =>
      ask<{ room: RoomInfo; participants: readonly Participant[] }>('GET', room, undefined, signal),
    configure: (change: object) => ask<RoomInfo>('PATCH', room, change),
    close: () => ask<void>('DELETE', room),
    update: (id: string, change: object) => ask<Participant>('PATCH', participant(id), change),
    remove: (id: string, query = '') => ask<void>('DELETE', participant(id) + query),
    signals: (items: readonly SignalItem[], signal?: AbortSignal) =>
      ask<{ results: readonly SignalResult[] }>('POST', `${room}/signals`, items, signal),
    /** Puts channels on the session's stream and takes some off. */
    channels: (change: object) => ask<void>('PATCH', '/v1/sessions', change),
    iceServers: (signal?: AbortSignal) =>
      ask<IceServers>('GET', '/v1/ice-servers', undefined, signal),
    /** Leaves while the page goes away: nothing can be awaited any more, and the answer isn't heard. */
    abandon(id: string): void {
      if (last === undefined) return
      send('DELETE', participant(id), new Headers(last), { keepalive: true }).catch(() => {})
    },
  }
}
