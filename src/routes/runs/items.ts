/** Push, item by item: `POST /v1/runs/{id}/events` and `…/end`. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { OPTIONS_BYTES } from '../../limits.js'
import type { Body } from '../../plugins/bodies.js'
import { draftOf } from '../../publish/drafts.js'
import { LEASE_MS } from '../../runs/limits.js'
import { type Run, runChannel } from '../../runs/run.js'
import type { Hold } from '../../runs/store.js'
import { SluiceError } from '../../wire/errors.js'
import { DEFAULT_NAME } from '../../wire/event.js'
import { readJson } from '../body.js'
import type { RouteContext } from '../context.js'
import { ownerOf } from '../events/admission.js'
import { compileOptions, RunEndBody, RunEventOptions } from '../schemas.js'
import { checkProducer, demandGenerate, idOf, producesAny, runIdOf, runJson } from './common.js'
import { carried, itemData, keyOf } from './item.js'

export function itemRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, hub, limits, runs } = context
  const checkEnd = compileOptions(RunEndBody)

  app.post<{ Querystring: RunEventOptions; Body: Body | undefined }>(
    '/v1/runs/:id/events',
    { schema: { querystring: RunEventOptions } },
    async (request, reply) => {
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
      const draft = draftOf(json, { channel, name, ephemeral: false }, keyOf(request), {
        ...{ sender: undefined, maxEventBytes: limits.maxEventBytes },
      })
      await access.spending.publish(identity, request.ip, [draft], false, () => {})
      const leaseMs = query.lease === undefined ? LEASE_MS : Number(query.lease) * 1000
      const said = query.fence === undefined ? undefined : Number(query.fence)
      const { fence } = await hold(id, request, said, leaseMs)
      // An older one is the log's to refuse.
      const [receipt] = await hub.publish([{ ...draft, fence: said ?? fence }])
      reply.code(201)
      return { id: idOf(receipt!.position), run: id, fence, duplicate: receipt!.duplicate }
    },
  )

  /** Begins the run with its first item; afterwards prolongs its lease. */
  async function hold(
    id: string,
    request: FastifyRequest,
    said: number | undefined,
    leaseMs: number,
  ): Promise<Hold> {
    const owner = ownerOf(request.sluiceIdentity)
    const known = await runs.store.touch(id, leaseMs, {
      ...{ fence: said, owner: producesAny(request) ? undefined : owner },
    })
    if (known !== undefined) {
      checkProducer(known.run, request)
      if (known.run.state !== 'running' || known.stopped) throw new SluiceError('run_ended')
    }
    // The log would believe it, and shut out whoever really comes next.
    if (said !== undefined && said > (known?.fence ?? 0)) {
      throw new SluiceError('option_invalid', {
        detail: '"fence" is none that an answer has said',
      })
    }
    if (known !== undefined) return known
    const begun = await runs.store.begin({ id, format: 'plain', owner, loose: true }, leaseMs)
    return begun.kind === 'begun' ? begun : hold(id, request, said, leaseMs)
  }

  app.post<{ Body: Body | undefined }>(
    '/v1/runs/:id/end',
    { bodyLimit: OPTIONS_BYTES },
    async (request) => {
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
}
