/** Signals: from one participant to another, and never to anybody else. Pure: what came, to what is appended. */
import type { Changed } from '../documents/documents.js'
import type { Draft } from '../log/log.js'
import { SluiceError } from '../wire/errors.js'
import { rawElements, rawMembers } from '../wire/json.js'
import { formatPosition } from '../wire/position.js'
import type { Plan } from './join.js'
import { MAX_CANDIDATES, MAX_MESSAGE_ID, MAX_SIGNALS, MAX_TYPE, SIGNAL_BYTES } from './limits.js'
import { inboxChannel, isParticipantId } from './names.js'
import type { Participant, RoomState } from './state.js'

export interface Signal {
  readonly to: string
  /** The one that is meant; undefined: whoever has the id now. */
  readonly toIncarnation: string | undefined
  readonly type: string
  /** Number of the sender's. */
  readonly seq: number | undefined
  readonly messageId: string
  /** JSON text as it came. */
  readonly data: string
}

export type SignalStatus =
  /** Its addressee's stream has it, or is about to. */
  | 'delivered'
  /** Its addressee is in its grace: it gets it when it comes back, or the sender is told `signal.expired`. */
  | 'queued'
  /** Nobody of that id is in the room. */
  | 'gone'
  /** The addressee that was meant has been followed by another incarnation. */
  | 'stale'

export interface SignalResult {
  readonly messageId: string
  readonly status: SignalStatus
  /** It was sent before, and this is what came of it then. */
  readonly duplicate: boolean
  /** Position in the addressee's inbox, where it got there. */
  readonly id?: string
}

const MEMBERS = ['to', 'toIncarnation', 'type', 'seq', 'messageId', 'data']
const TYPE = /^(?:offer|answer|candidates|restart|bye|x-[A-Za-z0-9._-]+)$/
const MESSAGE_ID = /^[\x21-\x7e]+$/

/** Reads one signal or an array of them. Throws `body_invalid`, `signal_invalid` or `event_too_large`. */
export function readSignals(text: string): Signal[] {
  const value = parsed(text)
  if (!Array.isArray(value)) return [readSignal(text, value, undefined)]
  if (value.length === 0 || value.length > MAX_SIGNALS) {
    throw new SluiceError('signal_invalid', {
      detail: `An array holds 1–${MAX_SIGNALS} signals, not ${value.length}`,
    })
  }
  const signals = rawElements(text).map((one, i) => readSignal(one, value[i], i))
  const numbered = signals.filter(({ seq }) => seq !== undefined).length
  const [first] = signals
  if (numbered > 0 && signals.some(({ seq }, i) => seq !== first!.seq! + i)) {
    throw new SluiceError('signal_invalid', {
      detail: '"seq" is a number of each signal, one more than that of the one before',
    })
  }
  return signals
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new SluiceError('body_invalid', { detail: 'It is not JSON' })
  }
}

function readSignal(text: string, value: unknown, item: number | undefined): Signal {
  const extensions = item === undefined ? {} : { item }
  const fail = (detail: string): never => {
    throw new SluiceError('signal_invalid', { detail, extensions })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail('It is not a JSON object')
  }
  const { to, toIncarnation, type, seq, messageId, data } = value as Record<string, unknown>
  const members = rawMembers(text)
  const odd = [...members.keys()].find((name) => !MEMBERS.includes(name))
  if (odd !== undefined) fail(`There is no member ${JSON.stringify(odd.slice(0, 40))}`)
  if (typeof to !== 'string' || !isParticipantId(to)) return fail('"to" is a participant’s id')
  if (toIncarnation !== undefined && typeof toIncarnation !== 'string') {
    return fail('"toIncarnation" is a string')
  }
  if (typeof type !== 'string' || type.length > MAX_TYPE || !TYPE.test(type)) {
    return fail(
      `"type" is offer, answer, candidates, restart, bye, or x-… of up to ${MAX_TYPE} characters`,
    )
  }
  if (seq !== undefined && !(Number.isSafeInteger(seq) && (seq as number) >= 1)) {
    fail('"seq" is a whole number from 1 on')
  }
  if (
    typeof messageId !== 'string' ||
    messageId.length > MAX_MESSAGE_ID ||
    !MESSAGE_ID.test(messageId)
  ) {
    return fail(`"messageId" has 1–${MAX_MESSAGE_ID} visible ASCII characters`)
  }
  const json = members.get('data') ?? 'null'
  if (json.length * 3 > SIGNAL_BYTES && Buffer.byteLength(json) > SIGNAL_BYTES) {
    const detail = `A signal has at most ${SIGNAL_BYTES} bytes of data`
    throw new SluiceError('event_too_large', { detail, extensions })
  }
  if (type === 'candidates' && candidatesIn(data) > MAX_CANDIDATES) {
    fail(`A signal has at most ${MAX_CANDIDATES} candidates`)
  }
  const number = seq as number | undefined
  return { to, toIncarnation, type, seq: number, messageId, data: json }
}

/** A list of candidates, by itself or under that name. */
function candidatesIn(data: unknown): number {
  if (Array.isArray(data)) return data.length
  const list = (data as { candidates?: unknown } | null | undefined)?.candidates
  return Array.isArray(list) ? list.length : 1
}

/** Signals on their way. */
export interface Routed {
  readonly plan: Plan
  /** What is known before they are appended; undefined: it has a draft. In the order of the signals. */
  readonly places: readonly ('gone' | 'stale' | { readonly incarnation: string })[]
}

/** Where each signal goes. `from`, and all but the payload, is stamped here. */
export function route(
  name: string,
  state: RoomState,
  from: Participant,
  signals: readonly Signal[],
): Routed {
  const drafts: Draft[] = []
  const ask = new Set<string>()
  const places = signals.map((signal) => {
    const to = state.participants.get(signal.to)
    if (to === undefined) return 'gone'
    const { incarnation } = to
    if ((signal.toIncarnation ?? incarnation) !== incarnation) return 'stale'
    ask.add(incarnation)
    drafts.push(draftOf(name, from, to, signal))
    return { incarnation }
  })
  const [first] = signals
  const last = signals.at(-1)
  const numbered = first?.seq !== undefined && last?.seq !== undefined
  const plan: Plan = {
    ...{ drafts, ask: [...ask] },
    ...(numbered && {
      sequence: { member: from.incarnation, first: first.seq!, last: last.seq! },
    }),
  }
  return { plan, places }
}

function draftOf(name: string, from: Participant, to: Participant, signal: Signal): Draft {
  const { seq, messageId, type } = signal
  const head = {
    ...{ from: from.id, fromIncarnation: from.incarnation },
    ...{ to: to.id, toIncarnation: to.incarnation, messageId, seq },
  }
  return {
    channel: inboxChannel(name, to.incarnation),
    name: `signal.${type}`,
    data: `${JSON.stringify(head).slice(0, -1)},"data":${signal.data}}`,
    sender: from.subject,
    // Another incarnation may count its messages from the same beginning.
    key: `${from.incarnation}/${messageId}`,
  }
}

/** What came of them. */
export function resultsOf(
  signals: readonly Signal[],
  { places }: Routed,
  { receipts, away }: Extract<Changed, { kind: 'changed' }>,
): SignalResult[] {
  let next = 0
  return signals.map(({ messageId }, i) => {
    const place = places[i]!
    if (typeof place === 'string') return { messageId, status: place, duplicate: false }
    const { position, duplicate } = receipts[next++]!
    const status = away.has(place.incarnation) ? 'queued' : 'delivered'
    return {
      ...{ messageId, status, duplicate },
      ...(position && { id: formatPosition(position.order, position.tag) }),
    }
  })
}
