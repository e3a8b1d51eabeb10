/**
 * Whoever produces a run, in this process: appends its events, reads along what they say, ends it.
 *
 *     append … ──▶ finish ──▶ ended            a finish says what the events haven't said
 *        └── stopped ──▶ finish('aborted')
 *        └── lost: another producer has it, nothing more is taken
 */
import type { Draft, Log, Receipt } from '../log/log.js'
import { SluiceError } from '../wire/errors.js'
import type { Reading, RunEvent } from './format.js'
import { detect, formatOf } from './formats.js'
import { KEEP_MS } from './limits.js'
import type { Known } from './past.js'
import { type Run, type RunEnd, type RunFault, type RunFormat, runChannel } from './run.js'
import type { Hold, RunStore } from './store.js'

const NEVER: RunFault = {
  code: 'never_began',
  message: 'What was asked for it answered something else than a generation',
}

/** How a producer says that its run is over. */
export type Finish =
  /** As its events say; `done` where they say nothing. */
  | { readonly as: 'said' }
  /** Its body has ended: its end where the format has no word for that, else it has broken off. */
  | { readonly as: 'closed'; readonly fault: RunFault }
  /** It has broken off. */
  | { readonly as: 'error'; readonly fault: RunFault }
  | { readonly as: 'aborted' }

/** Why nothing more is taken. `moved`: this gateway shuts down, and another one takes the rest. */
export type Ending = 'stopped' | 'lost' | 'moved'

export interface Producer {
  readonly id: string
  readonly fence: number
  /** Events appended so far. */
  readonly events: number
  /**
   * Whether a body that ends here is whole: its format has said its end. Of `plain` nothing is known but
   * that there is something.
   */
  readonly complete: boolean
  /** Whoever sends it can go on by another gateway: a shutdown leaves it to its lease. Default false. */
  movable: boolean
  /** What its events have said so far, for whoever goes on with it in this process. */
  readonly known: Known
  /** Aborts with an `Ending`: somebody wants the run to end, or it is another's. */
  readonly signal: AbortSignal
  /**
   * Appends events in their order; `keys` makes a repeated one harmless. Resolves when the log has them.
   * Rejects with `fenced` where another producer has the run, `channel_closed` where it has ended.
   */
  append(events: readonly RunEvent[], keys?: readonly (string | undefined)[]): Promise<Receipt[]>
  /** There will be events, and what they are likely to be; the first of them may show another. */
  expect(format: RunFormat | undefined): void
  /** Ends the run, in the words of its format. Only the first call counts. */
  finish(finish: Finish): Promise<Run | undefined>
  /** Leaves the run to its lease: somebody else may go on. */
  leave(): void
  /** It never came to be: forgotten, so that its id is free again. Only the first call counts. */
  discard(): Promise<void>
  /** The keeper's word. */
  tell(ending: Ending): void
}

export interface ProducerOptions {
  readonly hold: Hold
  readonly store: RunStore
  readonly log: Pick<Log, 'close' | 'delete'>
  readonly publish: (drafts: readonly Draft[]) => Promise<Receipt[]>
  /** What its events have said before this producer came; undefined for the first. */
  readonly known: Known | undefined
  /** Nobody produces it here any more. */
  readonly onOver: (producer: Producer) => void
}

export function createProducer(options: ProducerOptions): Producer {
  const { hold, store, log, publish } = options
  const { fence, run } = hold
  const channel = runChannel(run.id)
  const ending = new AbortController()
  let format = formatOf(options.known?.format ?? run.format)
  let reading = options.known?.reading ?? format.read()
  let events = options.known?.events ?? 0
  let order = options.known?.order ?? 0
  let { pending } = run
  let finished: Promise<Run | undefined> | undefined
  let discarded: Promise<void> | undefined

  /** The first event shows what the head didn't, or what a path only let guess. */
  function recognise(event: RunEvent): void {
    if (events > 0) return
    const name = detect(event)
    if (name !== undefined) become(name)
  }

  function become(name: RunFormat): void {
    if (name === format.name) return
    format = formatOf(name)
    reading = format.read()
    describe()
  }

  function describe(): void {
    pending = undefined
    // Not waited for: the first token must not wait for it, and the next sign of life says it again.
    store.describe(run.id, fence, format.name).catch(() => {})
  }

  async function append(
    list: readonly RunEvent[],
    keys: readonly (string | undefined)[] = [],
  ): Promise<Receipt[]> {
    if (list[0] !== undefined) recognise(list[0])
    const drafts = list.map(({ name, data }, i): Draft => {
      return { channel, name, data: JSON.stringify(data), key: keys[i], fence }
    })
    const receipts = await publish(drafts)
    receipts.forEach(({ duplicate, position }, i) => {
      if (duplicate) return
      events++
      order = position?.order ?? order
      reading.feed(list[i]!)
    })
    return receipts
  }

  async function end(finish: Finish): Promise<Run | undefined> {
    const told = endOf(finish, reading, format.name)
    // What the events have said already needn't be said again.
    if (reading.end === undefined && told.state !== 'done') {
      const words =
        told.state === 'aborted' ? format.aborted(events) : format.broken(told.error!, events)
      await append(words)
    }
    await log.close(channel, told.state, fence)
    const { text, usage } = reading
    return store.finish(run.id, fence, { ...told, events, text, usage }, KEEP_MS)
  }

  /**
   * Its record goes last of all: while there is one nobody else begins, whose events this would take. It
   * is `pending` until then, and so nobody takes it for a run.
   */
  async function forget(): Promise<void> {
    // Somebody may read it already, who knew its id before it began.
    await append(format.broken(NEVER, events))
    await log.close(channel, 'error', fence)
    await log.delete(channel)
    await store.forget(run.id, fence)
  }

  const producer: Producer = {
    id: run.id,
    fence,
    get events() {
      return events
    },
    get complete() {
      return format.name === 'plain' ? events > 0 : reading.end !== undefined
    },
    movable: false,
    get known() {
      return { format: format.name, reading, events, order }
    },
    signal: ending.signal,
    append,
    expect(name) {
      if (events === 0 && name !== undefined) become(name)
      if (pending) describe()
    },
    finish(finish) {
      finished ??= end(finish).finally(() => options.onOver(producer))
      return finished
    },
    leave() {
      options.onOver(producer)
    },
    discard() {
      options.onOver(producer)
      discarded ??= forget()
      return discarded
    },
    tell(what) {
      // Whoever has lost it has nothing to renew, nor to end.
      if (what === 'lost') options.onOver(producer)
      ending.abort(what)
    },
  }
  return producer
}

function endOf(
  finish: Finish,
  { end }: Reading,
  format: RunFormat,
): Pick<RunEnd, 'state' | 'error'> {
  // The events have said it: whatever came afterwards on the wire changes nothing.
  if (end !== undefined) return end
  const broken = finish.as === 'error' || (finish.as === 'closed' && format !== 'plain')
  if (broken) return { state: 'error', error: finish.fault }
  return { state: finish.as === 'aborted' ? 'aborted' : 'done' }
}

/** Whether a producer's request was refused because the run isn't its any more. */
export function isOver(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false
  return error.code === 'fenced' || error.code === 'channel_closed'
}
