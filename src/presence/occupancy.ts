/**
 * Telling on `server:occupancy` that a channel has got its first member, or lost its last.
 *
 * Where that channel lives in another partition than the members it can't be told in the same moment.
 * Then what is to be told stands in the document until it is, under a lease: should this gateway die in
 * between, whoever finds the lease overdue tells it. Each turn has a key, so that it is told once all the
 * same; and all that is untold is told together, in its order, so that nobody is overtaken.
 */
import { randomBytes } from 'node:crypto'
import type { Draft } from '../log/log.js'
import { OCCUPANCY } from '../wire/presence.js'
import { MAX_UNTOLD } from './limits.js'

export type Turned = 'occupied' | 'vacated'

/** A turn that is still to be told. */
interface Untold {
  readonly key: string
  readonly turned: Turned
}

export function occupancyDraft(channel: string, turned: Turned, key?: string): Draft {
  return { channel: OCCUPANCY, name: `channel.${turned}`, data: `{"channel":"${channel}"}`, key }
}

/** What is untold, with one more. `untold`: as it stands in the document. */
export function addUntold(untold: string | undefined, turned: Turned): string {
  const all = [...readUntold(untold), { key: randomBytes(12).toString('base64url'), turned }]
  // They alternate: without a pair of them the last word is the same.
  return JSON.stringify(all.length > MAX_UNTOLD ? all.slice(2) : all)
}

export function untoldDrafts(channel: string, untold: string): Draft[] {
  return readUntold(untold).map(({ key, turned }) => occupancyDraft(channel, turned, key))
}

function readUntold(text: string | undefined): readonly Untold[] {
  return text === undefined ? [] : (JSON.parse(text) as Untold[])
}
