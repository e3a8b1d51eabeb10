/** What the contract is held against: two gateways that share, and somebody who writes down what they hear. */
import { EventEmitter, once } from 'node:events'
import type { Revocation, Shared, SharedListener } from '../../src/auth/shared.js'

export interface Gateway {
  readonly shared: Shared
  readonly heard: Recorder
}

export interface Subject {
  readonly one: Gateway
  /** Another gateway; the same one where there can't be two. */
  readonly other: Gateway
  /** ms since the epoch, by the gateways' clock. */
  now(): number
  /** Lets time pass, by the clock that the store goes by. */
  elapse(ms: number): Promise<void>
  stop(): Promise<void>
}

export interface Recorder extends SharedListener {
  /** Every list that was told. */
  readonly lists: (readonly Revocation[])[]
  readonly renewals: { readonly session: string; readonly renewal: string }[]
  /** Sessions of which this gateway has a live stream. */
  readonly streams: Set<string>
  /** Values of the newest list. */
  values(): string[]
  /** Resolves once the condition holds; it is looked at whenever something is told. */
  until(condition: () => boolean): Promise<void>
}

export function createRecorder(): Recorder {
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const recorder: Recorder = {
    lists: [],
    renewals: [],
    streams: new Set(),
    revocations(all) {
      recorder.lists.push(all)
      told.emit('told')
    },
    renewed(session, renewal) {
      recorder.renewals.push({ session, renewal })
      told.emit('told')
      return recorder.streams.has(session)
    },
    values: () => recorder.lists.at(-1)?.map(({ value }) => value) ?? [],
    async until(condition) {
      while (!condition()) await once(told, 'told')
    },
  }
  return recorder
}

/** Strings that something on the way might take for others, or for a part of its own syntax. */
export const AWKWARD = [
  ...[
    'a',
    'a:b',
    'a b',
    'A',
    'ä',
    '*',
    '?',
    '[a-z]',
    '{p1}',
    '\0',
    '\n',
    '\u001f',
    '"',
    '\\',
    '\\ud800',
  ],
  ...[
    '\ud800',
    '\udfff',
    '\ufffd',
    '\u{1f600}',
    '10/1000:a',
    ':',
    ' ',
    '"a"',
    '1',
    'birth',
    'version',
  ],
  ...['__proto__', 'x'.repeat(256)],
]
