/** `POST /v1/events`: publish. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BYTES_AN_EVENT } from '../../limits.js'
import type { Draft, Receipt } from '../../log/log.js'
import type { Body } from '../../plugins/bodies.js'
import {
  checkedJson,
  checkedKey,
  checkedName,
  type DraftDefaults,
  type DraftSource,
  draftOf,
  draftsOfObjects,
  publishableChannel,
} from '../../publish/drafts.js'
import { SluiceError } from '../../wire/errors.js'
import { DEFAULT_NAME } from '../../wire/event.js'
import { formatPosition } from '../../wire/position.js'
import type { RouteContext } from '../context.js'
import { PublishOptions } from '../schemas.js'
import { admitEvents, endedBy } from './admission.js'
import { ingest } from './ingest.js'

/** Characters of an event object beside its data: names, and white space. */
const AROUND_DATA = 4 * 1024

type PublishRequest = FastifyRequest<{ Querystring: PublishOptions; Body: Body | undefined }>

export function publishRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, hub, limits } = context

  app.post<{ Querystring: PublishOptions; Body: Body | undefined }>(
    '/v1/events',
    { schema: { querystring: PublishOptions } },
    publish,
  )

  function publish(request: PublishRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { body, sluiceIdentity: identity } = request
    const source: DraftSource = {
      sender: identity.subject,
      maxEventBytes: limits.maxEventBytes,
      check: (channel) => access.demand(identity, 'publish', channel),
    }
    const defaults = readDefaults(request.query)
    if (defaults !== undefined) source.check?.(defaults.channel)
    const header = request.headers['idempotency-key'] as string | undefined
    const key = header === undefined ? undefined : checkedKey(header)
    switch (body?.type) {
      case 'json':
        checkSize(body.text, defaults !== undefined)
        if (defaults === undefined) return publishObjects(body.text, key, source, request, reply)
        return publishOne(draftOf(checkedJson(body.text), defaults, key, source), request, reply)
      case 'text':
        if (defaults === undefined) throw new SluiceError('channel_missing')
        return publishOne(draftOf(JSON.stringify(body.text), defaults, key, source), request, reply)
      case 'ndjson':
      case 'sse':
        return publishStream(body.type, request, defaults, key, source, reply)
      default:
        throw new SluiceError('body_invalid', { detail: 'There is no body' })
    }
  }

  /** One event is never larger than an event may be: known before it is read. */
  function checkSize(text: string, isData: boolean): void {
    const room = limits.maxEventBytes + (isData ? 0 : AROUND_DATA)
    if (text.length <= room || (!isData && /^\s*\[/.test(text)) || text.trim().length <= room)
      return
    throw new SluiceError('event_too_large', {
      detail: `At most ${limits.maxEventBytes} bytes of data`,
    })
  }

  async function publishOne(
    draft: Draft,
    request: PublishRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const admitted = admitEvents(context, request, [draft])
    if (admitted !== undefined) await admitted
    const [receipt] = await hub.publish([draft])
    return created(reply, receiptJson(receipt!), receipt!.position === null)
  }

  async function publishObjects(
    text: string,
    key: string | undefined,
    source: DraftSource,
    request: PublishRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { sluiceIdentity: identity } = request
    if (!identity.rights.mayAnywhere('publish')) access.demand(identity, 'publish')
    // Paid before it is read, for reading is what it costs.
    const bulk = Math.floor(text.length / BYTES_AN_EVENT)
    if (bulk > 0) await access.spending.read(identity, request.ip, bulk)
    const { drafts, array } = draftsOfObjects(text, key, source)
    await admitEvents(context, request, drafts)
    const receipts = await hub.publish(drafts)
    const live = receipts.every((receipt) => receipt.position === null)
    const json = receipts.map(receiptJson)
    return created(reply, array ? `[${json.join(',')}]` : json[0]!, live)
  }

  async function publishStream(
    type: 'ndjson' | 'sse',
    request: PublishRequest,
    defaults: DraftDefaults | undefined,
    key: string | undefined,
    source: DraftSource,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    if (type === 'sse' && defaults === undefined) throw new SluiceError('channel_missing')
    const ended = new AbortController()
    const leave = enter(request, defaults, ended)
    const done = hub.hold()
    const upload = ingest({
      ...{ type, stream: request.raw, defaults, key, source, signal: ended.signal },
      stride: access.spending.stride(request.sluiceIdentity),
      admit: (drafts) => admitEvents(context, request, drafts, true),
      publish: (drafts) => hub.publish(drafts),
      idleMs: limits.uploadIdleMs,
      maxBytes: limits.maxUploadBytes,
    })
    const result = await upload.finally(() => {
      done()
      leave()
    })
    const { appended, duplicates, last } = result
    const id = last === null ? 'null' : `"${formatPosition(last.order, last.tag)}"`
    return created(reply, `{"appended":${appended},"duplicates":${duplicates},"last":${id}}`, false)
  }

  /** An upload may outlast the right to it. */
  function enter(
    { sluiceIdentity: identity }: PublishRequest,
    defaults: DraftDefaults | undefined,
    ended: AbortController,
  ): () => void {
    if (identity.kind === 'open') return () => {}
    return access.audience.enter({
      ...{ identity, session: undefined, does: 'publish' },
      channels: defaults === undefined ? [] : [defaults.channel],
      end: (reason) => ended.abort(endedBy(reason)),
    })
  }
}

/** What the query says of every event; undefined: the events say it themselves. */
function readDefaults(query: PublishOptions): DraftDefaults | undefined {
  const { channel, name = DEFAULT_NAME, ephemeral } = query
  if (channel === undefined) {
    if (query.name === undefined && ephemeral === undefined) return undefined
    throw new SluiceError('channel_missing', { detail: '"name" and "ephemeral" go with "channel"' })
  }
  if (name !== DEFAULT_NAME) checkedName(name)
  return { channel: publishableChannel(channel), name, ephemeral: ephemeral === 'true' }
}

function created(reply: FastifyReply, json: string, live: boolean): FastifyReply {
  return reply
    .code(live ? 202 : 201)
    .header('content-type', 'application/json; charset=utf-8')
    .send(json)
}

function receiptJson({ position, channel, time, duplicate }: Receipt): string {
  const id = position === null ? '' : `"id":"${formatPosition(position.order, position.tag)}",`
  return `{${id}"channel":"${channel}","time":${time},"duplicate":${duplicate}}`
}
