/** `POST /v1/events`: publish. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
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
import { ingest } from './ingest.js'

type PublishRequest = FastifyRequest<{ Querystring: PublishOptions; Body: Body | undefined }>

export function publishRoutes(app: FastifyInstance, { hub, limits }: RouteContext): void {
  app.post<{ Querystring: PublishOptions; Body: Body | undefined }>(
    '/v1/events',
    { schema: { querystring: PublishOptions } },
    publish,
  )

  function publish(request: PublishRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { body } = request
    const source = {
      sender: request.sluiceIdentity.subject,
      maxEventBytes: limits.maxEventBytes,
    }
    const defaults = readDefaults(request.query)
    const header = request.headers['idempotency-key'] as string | undefined
    const key = header === undefined ? undefined : checkedKey(header)
    switch (body?.type) {
      case 'json':
        if (defaults === undefined) return publishObjects(body.text, key, source, reply)
        return publishOne(draftOf(checkedJson(body.text), defaults, key, source), reply)
      case 'text':
        if (defaults === undefined) throw new SluiceError('channel_missing')
        return publishOne(draftOf(JSON.stringify(body.text), defaults, key, source), reply)
      case 'ndjson':
      case 'sse':
        return publishStream(body.type, request, defaults, key, source, reply)
      default:
        throw new SluiceError('body_invalid', { detail: 'There is no body' })
    }
  }

  async function publishOne(draft: Draft, reply: FastifyReply): Promise<FastifyReply> {
    const [receipt] = await hub.publish([draft])
    return created(reply, receiptJson(receipt!), receipt!.position === null)
  }

  async function publishObjects(
    text: string,
    key: string | undefined,
    source: DraftSource,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { drafts, array } = draftsOfObjects(text, key, source)
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
    const publish = (drafts: readonly Draft[]) => hub.publish(drafts)
    const from = { type, stream: request.raw, defaults, key, source }
    const done = hub.hold()
    const upload = ingest({ ...from, publish, idleMs: limits.uploadIdleMs })
    const result = await upload.finally(done)
    const { appended, duplicates, last } = result
    const id = last === null ? 'null' : `"${formatPosition(last.order, last.tag)}"`
    return created(reply, `{"appended":${appended},"duplicates":${duplicates},"last":${id}}`, false)
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
