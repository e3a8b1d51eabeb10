/** Push: `PUT /v1/runs/{id}` with a streamed body. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Draft, Receipt } from '../../log/log.js'
import type { Body } from '../../plugins/bodies.js'
import { LEASE_MS } from '../../runs/limits.js'
import type { Producer } from '../../runs/producer.js'
import { type Run, runChannel } from '../../runs/run.js'
import type { Opened } from '../../runs/runs.js'
import { type ErrorCode, SluiceError } from '../../wire/errors.js'
import { DEFAULT_NAME } from '../../wire/event.js'
import type { RouteContext } from '../context.js'
import { ownerOf } from '../events/admission.js'
import { type Ingested, ingest } from '../events/ingest.js'
import { checkProducer, demandGenerate, idOf, runIdOf } from './common.js'
import { carried, eventOf, uploadKeyOf } from './item.js'

type Produce = FastifyRequest<{ Body: Body | undefined }>

type KnownRun = Exclude<Opened, { readonly kind: 'unknown' }>

/** A request whose body produces. */
interface Upload {
  readonly request: Produce
  readonly type: 'ndjson' | 'sse'
  /** Item i has the key `k/i`. */
  readonly key: string | undefined
}

/** Refusals after which nothing more is to be had of the run. */
const FINAL: readonly ErrorCode[] = ['fenced', 'run_ended', 'channel_closed']
const GOES_ON = `The run stays open for ${LEASE_MS / 1000} s: another PUT goes on with it, POST …/end ends it.`

export function produceRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, hub, limits, log, runs } = context

  app.put<{ Body: Body | undefined }>(
    '/v1/runs/:id',
    { config: { streamed: true } },
    async (request: Produce, reply) => {
      const id = runIdOf(request)
      demandGenerate(context, request, id)
      const upload = { request, type: streamed(request.body), key: uploadKeyOf(request) }
      await access.spending.open(request.sluiceIdentity, request.ip)
      const opened = await open(id, request)
      const done = hub.hold()
      try {
        return opened.kind === 'producing'
          ? await produce(opened.producer, upload, reply)
          : await repeat(opened.run, upload)
      } finally {
        done()
      }
    },
  )

  /** A producer that comes again goes on where the run stands; the one before it is shut out. */
  async function open(id: string, request: FastifyRequest): Promise<KnownRun> {
    const owner = ownerOf(request.sluiceIdentity)
    const begun = await runs.begin({ id, format: 'plain', owner })
    if (begun.kind === 'exists') checkProducer(begun.run, request)
    const running = begun.kind === 'exists' && begun.run.state === 'running'
    const opened = running ? await runs.resume(id) : begun
    // Ended and forgotten in between.
    if (opened.kind === 'unknown') throw new SluiceError('run_ended')
    return opened
  }

  async function produce(
    producer: Producer,
    upload: Upload,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const identity = upload.request.sluiceIdentity
    const { id } = producer
    producer.movable = true
    const ended = new AbortController()
    const over = () => ended.abort(endOf(producer))
    producer.signal.addEventListener('abort', over)
    const leave = access.audience.enter({
      ...{ identity, session: undefined, channels: [runChannel(id)], does: 'generate' },
      end: (reason) =>
        ended.abort(new SluiceError(reason === 'revoked' ? 'token_revoked' : reason)),
    })
    try {
      const result = await take(upload, id, ended.signal, (drafts) =>
        producer.append(
          drafts.map(eventOf),
          drafts.map((draft) => draft.key),
        ),
      )
      const { appended, duplicates } = result
      if (!producer.complete) {
        throw new SluiceError('run_incomplete', { extensions: { appended, duplicates } })
      }
      const run = await producer.finish({ as: 'said' })
      return reply.code(201).send(answerOf(id, run?.state, result))
    } catch (error) {
      if (producer.signal.reason === 'stopped') {
        const run = await producer.finish({ as: 'aborted' })
        return reply.code(200).send({ id, state: run?.state, events: producer.events })
      }
      // Broken off, or wrong: whoever produces it may come again while the lease lasts.
      producer.leave()
      throw goesOn(error)
    } finally {
      producer.signal.removeEventListener('abort', over)
      leave()
    }
  }

  /** The answer to a whole run may be lost on its way: whoever sends it again gets it, but adds nothing. */
  async function repeat({ id, state }: Run, upload: Upload) {
    const closed = (await log.info(runChannel(id)))?.closed === true
    // Without keys, or a channel that knows them, nothing would tell the old from the new.
    if (upload.key === undefined || !closed) throw new SluiceError('run_ended')
    const result = await take(upload, id, new AbortController().signal, (drafts) =>
      hub.publish(drafts.map((draft) => ({ ...draft, data: JSON.stringify(eventOf(draft).data) }))),
    ).catch((error: unknown) => {
      const more = error instanceof SluiceError && error.code === 'channel_closed'
      throw more ? new SluiceError('run_ended', { extensions: error.extensions }) : error
    })
    return answerOf(id, state, result)
  }

  function take(
    { request, type, key }: Upload,
    id: string,
    signal: AbortSignal,
    publish: (drafts: readonly Draft[]) => Promise<Receipt[]>,
  ): Promise<Ingested> {
    const { sluiceIdentity: identity, raw, ip } = request
    return ingest({
      ...{ type, stream: raw, key, signal, publish, nameOf: carried },
      defaults: { channel: runChannel(id), name: DEFAULT_NAME, ephemeral: false },
      source: { sender: undefined, maxEventBytes: limits.maxEventBytes },
      stride: access.spending.stride(identity),
      admit: (drafts) => access.spending.publish(identity, ip, drafts, true, () => {}),
      idleMs: limits.uploadIdleMs,
      maxBytes: limits.maxUploadBytes,
    })
  }
}

function streamed(body: Body | undefined): Upload['type'] {
  if (body?.type === 'ndjson' || body?.type === 'sse') return body.type
  throw new SluiceError('media_type_unsupported', {
    detail: 'A run is produced by a streamed body, or item by item with POST …/events',
    advice: 'Use application/x-ndjson or text/event-stream.',
  })
}

function answerOf(
  id: string,
  state: Run['state'] | undefined,
  { appended, duplicates, last }: Ingested,
) {
  return { id, state, appended, duplicates, last: idOf(last) }
}

/** What the request is told that went on while its run ended. */
function endOf({ signal: { reason } }: Producer): SluiceError {
  if (reason === 'moved') return new SluiceError('draining')
  return new SluiceError(reason === 'lost' ? 'fenced' : 'run_ended')
}

/** Whoever sent something wrong hears that nothing has ended by it. */
function goesOn(error: unknown): unknown {
  if (!(error instanceof SluiceError) || FINAL.includes(error.code)) return error
  return error.but({ advice: `${error.advice} ${GOES_ON}` })
}
