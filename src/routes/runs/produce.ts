/**
 * Push: `PUT /v1/runs/{id}` with a streamed body, or `POST …/events` and `…/end` item by item.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { OPTIONS_BYTES } from '../../limits.js'
import type { Body } from '../../plugins/bodies.js'
import { checkedKey, type DraftSource, draftOf } from '../../publish/drafts.js'
import type { RunEvent } from '../../runs/format.js'
import { LEASE_MS } from '../../runs/limits.js'
import type { Producer } from '../../runs/producer.js'
import { type Run, runChannel } from '../../runs/run.js'
import { SluiceError } from '../../wire/errors.js'
import { DEFAULT_NAME } from '../../wire/event.js'
import { readJson } from '../body.js'
import type { RouteContext } from '../context.js'
import { ingest } from '../events/ingest.js'
import { compileOptions, RunEndBody, RunEventOptions } from '../schemas.js'
import { checkProducer, demandGenerate, idOf, runIdOf, runJson } from './common.js'

type Produce = FastifyRequest<{ Body: Body | undefined }>
type ProduceItem = FastifyRequest<{ Querystring: RunEventOptions; Body: Body | undefined }>

/** Any name that an `event:` line carries: also `error`, which formats use. */
const UNCARRIED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u

export function produceRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, hub, limits, runs } = context
  const checkEnd = compileOptions(RunEndBody)

  // ── a streamed body ──

  app.put<{ Body: Body | undefined }>('/v1/runs/:id', async (request: Produce, reply) => {
    const id = runIdOf(request)
    demandGenerate(context, request, id)
    const { body } = request
    if (body?.type !== 'ndjson' && body?.type !== 'sse') {
      throw new SluiceError('media_type_unsupported', {
        detail: 'A run is produced by a streamed body, or item by item with POST …/events',
      })
    }
    const key = keyOf(request)
    await access.spending.open(request.sluiceIdentity, request.ip)
    const producer = await producerFor(id, request)
    const done = hub.hold()
    try {
      return await produce(producer, body.type, key, request, reply)
    } finally {
      done()
    }
  })

  /** A producer that comes again goes on where the run stands; the one before it is shut out. */
  async function producerFor(id: string, request: FastifyRequest): Promise<Producer> {
    const { subject } = request.sluiceIdentity
    const begun = await runs.begin({ id, format: 'plain', subject })
    if (begun.kind === 'producing') return begun.producer
    if (begun.kind === 'exists') {
      checkProducer(begun.run, request)
      const resumed = begun.run.state === 'running' ? await runs.resume(id) : begun
      if (resumed.kind === 'producing') return resumed.producer
    }
    throw new SluiceError('run_ended')
  }

  async function produce(
    producer: Producer,
    type: 'ndjson' | 'sse',
    key: string | undefined,
    request: Produce,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { sluiceIdentity: identity, raw } = request
    const channel = runChannel(producer.id)
    const ended = new AbortController()
    const over = () => ended.abort(endOf(producer))
    producer.signal.addEventListener('abort', over)
    const leave = access.audience.enter({
      ...{ identity, session: undefined, channels: [channel], does: 'generate' },
      end: (reason) =>
        ended.abort(new SluiceError(reason === 'revoked' ? 'token_revoked' : reason)),
    })
    try {
      const result = await ingest({
        ...{ type, stream: raw, key, signal: ended.signal, nameOf: carried },
        defaults: { channel, name: DEFAULT_NAME, ephemeral: false },
        source: sourceOf(),
        stride: access.spending.stride(identity),
        admit: (drafts) => access.spending.publish(identity, request.ip, drafts, true, () => {}),
        publish: (drafts) =>
          producer.append(
            drafts.map(eventOf),
            drafts.map((draft) => draft.key),
          ),
        idleMs: limits.uploadIdleMs,
        maxBytes: limits.maxUploadBytes,
      })
      const run = await producer.finish({ as: 'said' })
      const { appended, duplicates, last } = result
      return reply
        .code(201)
        .send({ id: producer.id, state: run?.state, appended, duplicates, last: idOf(last) })
    } catch (error) {
      if (producer.signal.reason === 'stopped') {
        const run = await producer.finish({ as: 'aborted' })
        return reply.code(200).send({ id: producer.id, state: run?.state, events: producer.events })
      }
      // Broken off, or wrong: whoever produces it may come again while the lease lasts.
      producer.leave()
      throw error
    } finally {
      producer.signal.removeEventListener('abort', over)
      leave()
    }
  }

  // ── item by item ──

  app.post<{ Querystring: RunEventOptions; Body: Body | undefined }>(
    '/v1/runs/:id/events',
    { schema: { querystring: RunEventOptions } },
    async (request: ProduceItem, reply) => {
      const id = runIdOf(request)
      demandGenerate(context, request, id)
      const { body, query, sluiceIdentity: identity } = request
      if (body?.type !== 'json' && body?.type !== 'text') {
        throw new SluiceError('body_invalid', { detail: 'An item is JSON or text' })
      }
      const data = body.type === 'text' ? JSON.stringify(body.text) : body.text.trim()
      const name = carried(query.name ?? DEFAULT_NAME)
      const channel = runChannel(id)
      const json = body.type === 'text' ? data : JSON.stringify(itemData(data))
      const draft = draftOf(json, { channel, name, ephemeral: false }, keyOf(request), sourceOf())
      await access.spending.publish(identity, request.ip, [draft], false, () => {})
      const leaseMs = query.lease === undefined ? LEASE_MS : Number(query.lease) * 1000
      const { fence } = await heldBy(id, request, leaseMs)
      const claimed = Number(query.fence ?? fence)
      // The log would believe it, and shut out whoever really comes next.
      if (claimed > fence) {
        throw new SluiceError('option_invalid', {
          detail: '"fence" is none that an answer has said',
        })
      }
      const [receipt] = await hub.publish([{ ...draft, fence: claimed }])
      reply.code(201)
      return { id: idOf(receipt!.position), run: id, fence, duplicate: receipt!.duplicate }
    },
  )

  /** Begins the run with its first item; afterwards prolongs its lease. */
  async function heldBy(id: string, request: FastifyRequest, leaseMs: number) {
    const { subject } = request.sluiceIdentity
    const known = await runs.store.touch(id, leaseMs)
    if (known !== undefined) {
      checkProducer(known.run, request)
      if (known.run.state !== 'running' || known.stopped) throw new SluiceError('run_ended')
      return known
    }
    const begun = await runs.store.begin({ id, format: 'plain', subject }, leaseMs)
    if (begun.kind === 'begun') return begun
    return heldBy(id, request, leaseMs)
  }

  app.post<{ Body: Body | undefined }>(
    '/v1/runs/:id/end',
    { bodyLimit: OPTIONS_BYTES },
    async (request: Produce) => {
      const id = runIdOf(request)
      demandGenerate(context, request, id)
      const body = readJson<RunEndBody>(request.body, checkEnd) ?? {}
      const run = await runs.get(id)
      if (run === undefined) throw new SluiceError('run_unknown')
      checkProducer(run, request)
      if (run.state !== 'running') return runJson(run)
      const resumed = await runs.resume(id)
      if (resumed.kind === 'unknown') throw new SluiceError('run_unknown')
      if (resumed.kind === 'exists') return runJson(resumed.run)
      const { state = 'done', error } = body
      const fault = error ?? { code: 'producer_error', message: 'Its producer says that it failed' }
      const ended = await resumed.producer.finish(
        state === 'done'
          ? { as: 'said' }
          : state === 'error'
            ? { as: state, fault }
            : { as: state },
      )
      return runJson(ended ?? ({ ...run, state } satisfies Run))
    },
  )

  function sourceOf(): DraftSource {
    return { sender: undefined, maxEventBytes: limits.maxEventBytes }
  }
}

function keyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'] as string | undefined
  return header === undefined ? undefined : checkedKey(header)
}

function carried(name: string): string {
  if (name.length > 0 && name.length <= 100 && !UNCARRIED.test(name)) return name
  throw new SluiceError('event_invalid', { detail: '"name" has 1–100 characters, none a control' })
}

/** A string is what it says; anything else stays the JSON text that came. */
function itemData(json: string): string {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'string' ? value : json
  } catch {
    throw new SluiceError('body_invalid', { detail: 'It is not JSON' })
  }
}

function eventOf({ name, data }: { name: string; data: string }): RunEvent {
  return { name, data: itemData(data) }
}

/** What the request is told that went on while its run ended. */
function endOf(producer: Producer): SluiceError {
  return new SluiceError(producer.signal.reason === 'lost' ? 'fenced' : 'run_ended')
}
