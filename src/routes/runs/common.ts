/** What the resources of runs share. */
import type { FastifyRequest } from 'fastify'
import { isRunId, type Run, runChannel } from '../../runs/run.js'
import { SluiceError } from '../../wire/errors.js'
import { formatPosition } from '../../wire/position.js'
import type { RouteContext } from '../context.js'
import { ownerOf } from '../events/admission.js'

export interface RunParams {
  readonly id: string
}

/** The run that a path names. Throws where it can't be one. */
export function runIdOf(request: FastifyRequest): string {
  const { id } = request.params as RunParams
  return checkedRunId(id, 'The path names no run')
}

/** The id of a run. Throws where it can't be one; `detail`: what it was to be. */
export function checkedRunId(id: unknown, detail: string): string {
  if (typeof id === 'string' && isRunId(id)) return id
  const advice =
    'An id has 1–150 characters of A–Z a–z 0–9 _ - . : @ ~ = | +, the first a letter or a digit.'
  throw new SluiceError('channel_invalid', { detail, advice })
}

/** Whether whoever calls may produce this run: it is whose it was when it began. */
export function checkProducer(run: Run, request: FastifyRequest): void {
  if (producesAny(request) || run.owner === ownerOf(request.sluiceIdentity)) return
  throw new SluiceError('forbidden', { detail: 'The run is somebody else’s' })
}

/** Whether whoever calls may produce runs of anybody. */
export function producesAny({ sluiceIdentity: { kind } }: FastifyRequest): boolean {
  return kind === 'open' || kind === 'key'
}

/** Throws where the run may not be produced by the caller. */
export function demandGenerate(
  { access }: RouteContext,
  request: FastifyRequest,
  id: string,
): void {
  access.demand(request.sluiceIdentity, 'generate', runChannel(id))
}

/** Throws where a run's events are gone that are asked for from the first one. */
export async function demandEvents({ log }: RouteContext, run: Run): Promise<void> {
  if (run.state === 'running' || run.events === 0) return
  const info = await log.info(runChannel(run.id))
  if ((info?.events ?? 0) === 0) throw new SluiceError('run_expired')
}

/** The document of a run. */
export function runJson(run: Run): Record<string, unknown> {
  const { id, state, started, ended, format, events, upstream, error, text, usage } = run
  return { id, state, started, ended, format, events, upstream, error, text, usage }
}

export function idOf(position: { order: number; tag: number } | null | undefined): string | null {
  return position ? formatPosition(position.order, position.tag) : null
}
