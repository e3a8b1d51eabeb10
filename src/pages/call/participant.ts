/** What somebody is shown as: from what they say of themselves, so that it may be anything. */
import type { Participant, Peer } from '../../client/index.js'
import { avatar } from '../shared/dom.js'

/** Colours that are told apart, white letters readable on each. */
export const HUES = [175, 28, 262, 340, 95, 215, 55, 310]

export function nameOf({ id, data }: Participant): string {
  return (typeof data.name === 'string' ? data.name : id).slice(0, 40)
}

export function hueOf({ data }: Participant): number {
  return typeof data.hue === 'number' ? data.hue : 0
}

/** Gone for the moment, or with another window in front. */
export function isAway(peer: Participant | Peer): boolean {
  return peer.away === true || peer.data.away === true
}

export function faceOf(participant: Participant): HTMLElement {
  return avatar(nameOf(participant), hueOf(participant))
}

/** A colour that none of them has, the wanted one if it may be. */
export function freeHue(wanted: number, others: readonly Participant[]): number {
  const taken = new Set(others.map(hueOf))
  return [wanted, ...HUES].find((hue) => !taken.has(hue)) ?? wanted
}
