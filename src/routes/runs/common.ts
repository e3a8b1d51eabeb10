/** What the resources of runs share. */
import type { FastifyRequest } from 'fastify'
import { isRunId, type Run, runChannel } from '../../runs/run.js'
import { SluiceError } from '../../wire/errors.js'
import { formatPosition } from '../../wire/position.js'
import type { RouteContext } from '../context.js'

export interface RunParams {
  readonly id: string
}

/** The run that a path names. Throws where it can't be one. */
export function runIdOf(request: FastifyRequest): string {
  const { id } = request.params as RunParams
  if (isRunId(id)) return id
  throw new SluiceError('channel_invalid', {
    detail: 'The id of a run is a part of a channel’s name',
  })
}

/** Whether whoever calls may produce this run: it is whose it was when it began. */
export function checkProducer(run: Run, request: FastifyRequest): void {
  const { kind, subject } = request.sluiceIdentity
  if (kind === 'open' || kind === 'key' || run.subject === subject) return
  throw new SluiceError('forbidden', { detail: 'The run is somebody else’s' })
}

/** Throws where the run may not be produced by the caller. */
export function demandGenerate(
  { access }: RouteContext,
  request: FastifyRequest,
  id: string,
): void {
  access.demand(request.sluiceIdentity, 'generate', runChannel(id))
}

/** The document of a run. */
export function runJson(run: Run): Record<string, unknown> {
  const { id, state, started, ended, format, events, upstream, error, text, usage } = run
  return { id, state, started, ended, format, events, upstream, error, text, usage }
}

export function idOf(position: { order: number; tag: number } | null | undefined): string | null {
  return position ? formatPosition(position.order, position.tag) : null
}
