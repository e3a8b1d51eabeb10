/** `GET /v1/runs/{id}` and `…/events`, `POST …/stop`: what a run is, what it says, its end. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity } from '../../auth/identity.js'
import { type Run, runChannel } from '../../runs/run.js'
import { SluiceError } from '../../wire/errors.js'
import type { RouteContext } from '../context.js'
import { redeem } from '../events/admission.js'
import { createAnswers } from '../events/answer.js'
import { lastEventIdOf, publicSession, readSubscription } from '../events/request.js'
import { RunReadOptions, RunTicketOptions, type SubscribeOptions } from '../schemas.js'
import { demandEvents, runIdOf, runJson } from './common.js'

export function readRoutes(app: FastifyInstance, context: RouteContext): void {
  const { access, log, limits, now, runs } = context
  const { answer, refuse } = createAnswers(context)
  const bounds = { partitions: log.partitions, maxChannels: limits.maxChannels }

  app.get<{ Querystring: RunTicketOptions }>(
    '/v1/runs/:id',
    { config: { tickets: true }, schema: { querystring: RunTicketOptions } },
    async (request, reply) => {
      const id = runIdOf(request)
      const identity = await whoCalls(request)
      await access.admit(identity, 'subscribe', [runChannel(id)], request.ip)
      const run = await runs.get(id)
      if (run === undefined) throw new SluiceError('run_unknown')
      reply.header('cache-control', 'no-store')
      if (run.state !== 'running') return runJson(withheld(run, identity) ? textless(run) : run)
      // Its producer says it now and then; the log knows it now.
      const held = (await log.info(runChannel(id)))?.events ?? 0
      return runJson({ ...run, events: Math.max(run.events, held) })
    },
  )

  app.route<{ Querystring: RunReadOptions }>({
    method: ['GET', 'HEAD'],
    url: '/v1/runs/:id/events',
    config: { tickets: true },
    schema: { querystring: RunReadOptions },
    // A body that ends properly would say that the run has ended.
    errorHandler: (error, request, reply) => refuse(error, request, reply, true),
    async handler(request, reply) {
      const id = runIdOf(request)
      // The data as its producer wrote it, from the first event on, unless the reader says otherwise.
      const format = request.headers.accept?.includes('application/json') ? 'envelope' : 'raw'
      const options: SubscribeOptions = {
        ...{ after: 'earliest', format },
        ...request.query,
        channel: runChannel(id),
      }
      const subscription = readSubscription(options, lastEventIdOf(request.headers), bounds)
      // One channel, whatever else its session has.
      const alone = { ...subscription, shares: false }
      return answer(alone, request, reply, () => checkThere(id, subscription.presented))
    },
  })

  /** Whether some of a run is older than what its reader may read. */
  function withheld({ id, started }: Run, { rights }: Identity): boolean {
    return rights.limitsHistory && rights.since(runChannel(id), now()) > started
  }

  /** For those who may read it: whether there is something to read. */
  async function checkThere(id: string, cursor: string | undefined): Promise<void> {
    const run = await runs.get(id)
    if (run === undefined) throw new SluiceError('run_unknown')
    // With a cursor the log itself says what is missing.
    if (cursor === undefined) await demandEvents(context, run)
  }

  // No body is read, whatever its type: `navigator.sendBeacon` chooses it itself.
  app.post<{ Querystring: RunTicketOptions }>(
    '/v1/runs/:id/stop',
    { config: { tickets: true }, schema: { querystring: RunTicketOptions } },
    async (request, reply) => {
      const id = runIdOf(request)
      // A beacon of another origin's page asks for an answer that it never sees.
      reply.header('cross-origin-resource-policy', 'cross-origin')
      access.demand(await whoCalls(request), 'stop', runChannel(id))
      const run = await runs.requestStop(id)
      if (run === undefined) throw new SluiceError('run_unknown')
      // Without its text: who may stop it needn't be who may read it.
      return run.state === 'running' ? { ...runJson(run), stopping: true } : runJson(run)
    },
  )

  async function whoCalls(
    request: FastifyRequest<{ Querystring: RunTicketOptions }>,
  ): Promise<Identity> {
    const { ticket, session = ticket } = request.query
    if (ticket === undefined || session === undefined) return request.sluiceIdentity
    return (await redeem(access, ticket, publicSession(session), request)).identity
  }
}

/** What its events say isn't told by the back door. */
function textless({ text: _, usage: __, ...run }: Run): Run {
  return run
}
