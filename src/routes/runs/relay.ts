/**
 * `…/v1/relay/{upstream}/{path}`: an upstream behind the gateway. An answer that is a stream of events
 * becomes a run; the caller reads it like any other, from its first event on.
 *
 *     who, what ─▶ the key's run ─▶ ask the upstream ─┬─▶ a stream: a run, and its reader
 *                       └─ there already ─▶ its reader └─▶ anything else: passed through
 */

import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SLOW_MS } from '../../hub/limits.js'
import type { Body } from '../../plugins/bodies.js'
import { toSluiceError } from '../../plugins/problems.js'
import { checkedKey } from '../../publish/drafts.js'
import { UpstreamFault } from '../../relay/faults.js'
import { headersToCaller, hintOf, isEventStream, isForOperator } from '../../relay/headers.js'
import { pump } from '../../relay/pump.js'
import { inRealTime, type UpstreamAnswer, type UpstreamClient } from '../../relay/request.js'
import { inSdkWords, sdkHeaders } from '../../relay/sdk-words.js'
import { taking } from '../../relay/taking.js'
import { find, type Target, type Upstreams } from '../../relay/upstreams.js'
import { detectByHead } from '../../runs/formats.js'
import { KEYED_MS } from '../../runs/limits.js'
import { isOver, type Producer } from '../../runs/producer.js'
import { runChannel } from '../../runs/run.js'
import type { Opened } from '../../runs/runs.js'
import type { Beginning } from '../../runs/store.js'
import { SluiceError } from '../../wire/errors.js'
import type { RouteContext } from '../context.js'
import { ownerOf } from '../events/admission.js'
import { createAnswers } from '../events/answer.js'
import type { Subscription } from '../events/request.js'
import { checkedRunId, checkProducer, demandEvents, demandGenerate } from './common.js'

type RelayRequest = FastifyRequest<{ Params: { upstream: string }; Body: Body | undefined }>

/** ms between two looks whether the run of a key comes to be, and how long that is waited for. */
const LOOK_MS = 100
const PENDING_MS = 20_000
/** A subject that can be a segment of a channel: its runs are called after it. */
const SEGMENT = /^[A-Za-z0-9_\-.@~=|+]{1,64}$/

export interface RelayOptions {
  readonly upstreams: Upstreams
  readonly client: UpstreamClient
}

export function relayRoutes(
  app: FastifyInstance,
  context: RouteContext,
  { upstreams, client }: RelayOptions,
): void {
  const { access, hub, logger, runs } = context
  const { stream } = createAnswers(context)

  app.route<{ Params: { upstream: string }; Body: Body | undefined }>({
    method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/v1/relay/:upstream/*',
    exposeHeadRoute: false,
    errorHandler: refuse,
    handler: relay,
  })
  for (const url of ['/v1/relay', '/v1/relay/:upstream']) {
    app.all(url, { errorHandler: refuse }, () => {
      throw new SluiceError('not_found', {
        advice: 'The relay is /v1/relay/{upstream}/{path}, e.g. /v1/relay/openai/v1/responses.',
      })
    })
  }

  /** Whoever comes by an SDK hears it in the SDK's words. */
  function refuse(error: unknown, _request: FastifyRequest, reply: FastifyReply): never {
    const problem = inSdkWords(toSluiceError(error, logger))
    reply.headers(sdkHeaders(problem))
    throw problem
  }

  async function relay(request: RelayRequest, reply: FastifyReply): Promise<FastifyReply> {
    const chosen = chosenId(request)
    const id = chosen ?? newId(request)
    demandGenerate(context, request, id)
    const target = targetOf(request)
    if (context.draining()) throw new SluiceError('draining')
    if (hub.crowded) throw new SluiceError('streams_exhausted', { retryAfter: 30 })
    const { sluiceIdentity: identity, ip } = request
    await access.spending.open(identity, ip)
    // Whether there is a place for its reader is known before anything is generated.
    access.seats.take(identity, ip)()
    const key = keyOf(request, target)
    if (key === undefined && chosen === undefined) return generate(target, id, request, reply)
    return once(target, key, id, request, reply)
  }

  /** A key, or a chosen id, stands for one generation: whoever comes with it again reads that one. */
  async function once(
    target: Target,
    key: string | undefined,
    wanted: string,
    request: RelayRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const id = key === undefined ? wanted : await runs.store.keyed(key, wanted, KEYED_MS)
    // What the key stands for may have been begun with other rights.
    if (id !== wanted) demandGenerate(context, request, id)
    const deadline = performance.now() + PENDING_MS
    for (;;) {
      const begun = await begin(target, id, request, { key, pending: true })
      if (begun.kind === 'producing') return generate(target, id, request, reply, begun.producer)
      // Whoever chose the id means another generation. Only who comes with the key that it was begun under
      // has asked for this one, and may read it by the right to generate.
      const own = begun.kind === 'exists' && key !== undefined && begun.run.key === key
      if (!own) throw new SluiceError('run_exists')
      checkProducer(begun.run, request)
      if (begun.run.pending === undefined) {
        await demandEvents(context, begun.run)
        return readFrom(id, request, reply, {})
      }
      // Its upstream hasn't answered yet; it may still turn out to be no stream, and then it is gone.
      if (performance.now() > deadline) throw new SluiceError('run_pending', { retryAfter: 5 })
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  function begin(
    { upstream: { name, format }, path }: Target,
    id: string,
    request: RelayRequest,
    how: Pick<Beginning, 'key' | 'pending'>,
  ): Promise<Opened> {
    const owner = ownerOf(request.sluiceIdentity)
    // A guess is enough for whoever stops it before its first event.
    const likely = format ?? detectByHead({}, path) ?? 'plain'
    return runs.begin({ ...how, id, format: likely, upstream: name, owner })
  }

  /** `held`: of a run that waits for its upstream's answer. */
  async function generate(
    target: Target,
    id: string,
    request: RelayRequest,
    reply: FastifyReply,
    held?: Producer,
  ): Promise<FastifyReply> {
    const done = hub.hold()
    let answer: UpstreamAnswer | undefined
    let producer: Producer
    try {
      answer = await open(target, request, held?.signal)
      if (answer.status !== 200 || !isEventStream(answer.headers)) {
        await discard(held)
        return passThrough(answer, target, request, reply, done)
      }
      producer = held ?? (await beginNow(target, id, request))
    } catch (error) {
      // Nobody reads it any more.
      answer?.abort()
      try {
        if (held?.signal.reason !== 'stopped') await discard(held)
        else return await aborted(held, request, reply)
      } finally {
        done()
      }
      throw error
    }
    producer.expect(target.upstream.format ?? detectByHead(answer.headers, target.path))
    // Detached from here on: a caller that leaves ends nothing, one that has left already neither.
    void pump({ ...{ runs, producer, answer, logger }, upstream: target.upstream }).finally(done)
    return readFrom(id, request, reply, headersToCaller(answer.headers))
  }

  async function beginNow(target: Target, id: string, request: RelayRequest): Promise<Producer> {
    const begun = await begin(target, id, request, {})
    if (begun.kind === 'producing') return begun.producer
    throw new SluiceError('run_exists')
  }

  /** Where it fails, its lease ends the run. The caller hears of the upstream in any case. */
  async function discard(producer: Producer | undefined): Promise<void> {
    await producer?.discard().catch((error: unknown) => {
      if (isOver(error)) return
      logger.warn({ run: producer.id, reason: (error as Error).message }, 'relay: not discarded')
    })
  }

  /** Stopped before its upstream has answered: a run without events but for its end. */
  async function aborted(
    producer: Producer,
    request: RelayRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    await producer.finish({ as: 'aborted' }).catch((error: unknown) => {
      // Whoever was asked to stop it may have been quicker.
      if (!isOver(error)) throw error
    })
    return readFrom(producer.id, request, reply, {})
  }

  /** `signal`: nobody wants the answer any more. */
  async function open(
    target: Target,
    { body, method, headers }: RelayRequest,
    signal: AbortSignal | undefined,
  ): Promise<UpstreamAnswer> {
    if (body !== undefined && body.type !== 'json' && body.type !== 'text') {
      throw new SluiceError('media_type_unsupported', { detail: 'A relayed body is JSON or text' })
    }
    // Until there is an answer: then it is the pump's, which may outlive this producer and have another.
    const waiting = new AbortController()
    const letGo = () => waiting.abort()
    if (signal?.aborted) letGo()
    signal?.addEventListener('abort', letGo)
    const more = { ...(body && { body: body.text }), signal: waiting.signal }
    try {
      return await client.open({ ...target, method, headers, ...more })
    } catch (error) {
      if (!(error instanceof UpstreamFault)) throw error
      if (signal?.aborted) throw new SluiceError('fenced')
      const { code, detail } = error
      logger.warn({ upstream: target.upstream.name, code, detail }, 'relay: no answer')
      throw new SluiceError(code === 'head_timeout' ? 'upstream_timeout' : 'upstream_failed')
    } finally {
      signal?.removeEventListener('abort', letGo)
    }
  }

  /** `done`: it has passed, or nobody takes it any more. */
  function passThrough(
    answer: UpstreamAnswer,
    { upstream: { name }, path }: Target,
    { method, ip, sluiceIdentity: identity }: RelayRequest,
    reply: FastifyReply,
    done: () => void,
  ): FastifyReply {
    const { status } = answer
    if (isForOperator(status)) {
      answer.abort()
      // Without the query, which may hold what is nobody's to read.
      const asked = { upstream: name, method, path: path.split('?', 1)[0] }
      const hint = hintOf(status, name)
      logger.warn({ ...asked, status, hint }, 'relay: the upstream refuses the gateway')
      throw new SluiceError('upstream_refused')
    }
    // It holds a connection on both sides, as a stream does.
    const leaveSeat = access.seats.take(identity, ip)
    const { parts, over } = taking(answer.body, {
      ...{ slowMs: SLOW_MS, later: inRealTime },
      stuck: () => reply.raw.destroy(),
    })
    reply.raw.once('close', () => {
      // A caller that leaves leaves this: an iterator that waits for its upstream can't be ended otherwise.
      answer.abort()
      over()
      leaveSeat()
    })
    const body = Readable.from(parts).once('close', () => {
      answer.abort()
      done()
    })
    return reply
      .code(status)
      .headers({ 'cache-control': 'no-store', ...headersToCaller(answer.headers) })
      .send(body)
  }

  /** The run as its upstream writes it, from its first event on, with ids added. */
  function readFrom(
    id: string,
    request: RelayRequest,
    reply: FastifyReply,
    more: Readonly<Record<string, string>>,
  ): Promise<FastifyReply> {
    const channels = [runChannel(id)]
    const reading = {
      ...{ identity: request.sluiceIdentity, channels, session: undefined, reach: undefined },
      does: 'generate' as const,
    }
    const subscription: Subscription = {
      ...{
        channels,
        from: { from: 'earliest' },
        presented: undefined,
        shares: false,
        format: 'raw',
        mode: 'live',
      },
      ...{ waitMs: 0, limit: 0, session: undefined, ticket: undefined, presence: undefined },
      unseen: true,
    }
    const { 'content-type': _, ...own } = more
    return stream(subscription, reading, request, reply, {
      ...own,
      'sluice-run': id,
      location: `${app.prefix}/v1/runs/${id}`,
    })
  }

  function targetOf(request: RelayRequest): Target {
    const name = request.params.upstream
    // As it came: what is compared with the list is what is sent.
    const { url = '' } = request.raw
    const base = `${app.prefix}/v1/relay/${name}`
    if (!url.startsWith(`${base}/`)) throw new SluiceError('upstream_unknown')
    const target = find(upstreams, name, request.method, url.slice(base.length))
    if (target === 'unknown') throw new SluiceError('upstream_unknown')
    if (target === 'not_allowed') throw new SluiceError('upstream_forbidden')
    return target
  }
}

function chosenId(request: FastifyRequest): string | undefined {
  const id = request.headers['sluice-run']
  if (id === undefined) return undefined
  return checkedRunId(id, 'Sluice-Run is not the id of a run')
}

/** Its subject's by its name, where that can stand in one: granted by `run:{sub}:*`. */
function newId({ sluiceIdentity: { subject } }: FastifyRequest): string {
  const random = randomBytes(16).toString('base64url').replaceAll('-', '.')
  const own = subject !== undefined && /^[A-Za-z0-9]/.test(subject) && SEGMENT.test(subject)
  return own ? `${subject}:${random}` : `r${random}`
}

/**
 * Of this subject, for this request of this upstream: JSON, so that no two are the same text. Its hash, for
 * paths and queries may be long, and each key is kept for a day.
 */
function keyOf(request: FastifyRequest, { upstream, path }: Target): string | undefined {
  const header = request.headers['idempotency-key'] as string | undefined
  if (header === undefined) return undefined
  const owner = ownerOf(request.sluiceIdentity)
  const all = [owner, upstream.name, request.method, path, checkedKey(header)]
  return createHash('sha256').update(JSON.stringify(all)).digest('base64url')
}
