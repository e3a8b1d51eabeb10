/**
 * The lease of one partition's raw messages, as one gateway sees it.
 *
 *                acquired            everything heard before
 *     ┌──────┐ ───────────▶ ┌──────┐ the acquisition is read  ┌─────────┐
 *     │ none │              │ held │ ───────────────────────▶ │ holding │
 *     └──────┘ ◀─────────── └──────┘                          └─────────┘
 *         ▲      lost, fenced, connection gone                     │
 *         └────────────────────────────────────────────────────────┘
 *
 * All gateways hear all messages on connections to one server, in one order. A message that the holder
 * before has appended was published before its lease ended, so a successor that begins behind all that
 * it had been sent when it acquired the lease never appends it again. What was published in between is
 * lost: at most once.
 *
 * A holder that leaves hands over without a loss. It says so in a message among the others: what comes
 * before is the leaver's, what comes after the successor's, who keeps it until the lease is its own. It
 * may use what it kept only if nobody held the lease in between, which is why an acquisition answers
 * with the token before it.
 */
import { randomBytes } from 'node:crypto'
import type { Intake } from '../log/redis/intake.js'
import { HANDOVER, HANDOVER_ASK, LEASE, RENEW } from './limits.js'

export type Claim = 'none' | 'held' | 'holding'

export interface LeaseOptions {
  readonly partition: number
  readonly intake: Intake
  /** Resolves once all that had been sent to this gateway at the time of the call has been heard. */
  caughtUp(): Promise<void>
  /** It is ours, from now on or since the leaver's word. */
  gained(handedOver: boolean): void
  /** It isn't any more (`held`), or what was kept for a handover is somebody else's. */
  lost(held: boolean): void
}

export interface Lease {
  readonly claim: Claim
  /** What appends carry. */
  readonly token: string
  /** Whether a handover to us may be under way, so that messages are kept. */
  readonly expecting: boolean
  /** There is a connection that hears messages: asks, and asks again. */
  open(): void
  /** It is gone, with what was on its way: the lease is left to somebody who hears. */
  shut(): void
  /** An append was refused, for the token isn't that of the lease. */
  fenced(token: string): void
  /** The holder said that it leaves. */
  handover(token: string): void
  /** Nothing is appended any more. */
  release(): Promise<void>
}

const newToken = () => randomBytes(12).toString('base64url')

export function createLease(options: LeaseOptions): Lease {
  const { partition, intake } = options
  let claim: Claim = 'none'
  let token = ''
  let fresh = newToken()
  /** The token of a holder that leaves, and until when it is waited for. */
  let leaver: { readonly token: string; readonly until: number } | undefined
  /** Counts openings: an answer to a question of an earlier one is of no use. */
  let opening = 0
  let opened = false
  let asking = false
  let timer: NodeJS.Timeout | undefined

  function drop(): void {
    const was = claim
    const expected = leaver !== undefined
    claim = 'none'
    token = ''
    leaver = undefined
    if (was !== 'none' || expected) options.lost(was === 'holding')
  }

  function later(ms: number): void {
    clearTimeout(timer)
    if (opened) timer = setTimeout(ask, ms)
  }

  function ask(): void {
    if (asking || !opened) return
    asking = true
    const asked = opening
    intake
      .lease(partition, { held: token, fresh, ms: LEASE })
      .then(
        (answer) => (asked === opening ? judge(answer) : giveBack(answer.token)),
        // The log says that it is away. While it is, nothing can be appended anyway.
        () => later(RENEW),
      )
      .finally(() => {
        asking = false
        if (asked !== opening) ask()
      })
  }

  function judge(answer: { token: string; other: string; ms: number }): void {
    if (answer.token === '') {
      const waiting = leaver?.token === answer.other && performance.now() < leaver.until
      if (!waiting) drop()
      later(waiting ? HANDOVER_ASK : Math.min(RENEW, Math.max(1, answer.ms + 1)))
      return
    }
    later(RENEW)
    if (answer.token === token) return
    const handedOver = leaver !== undefined && leaver.token === answer.other
    // What was kept, or held under an older token, is not ours to append.
    if (!handedOver) drop()
    leaver = undefined
    token = answer.token
    fresh = newToken()
    claim = 'held'
    if (handedOver) begin(token, true)
    else
      options
        .caughtUp()
        .then(() => begin(answer.token, false))
        .catch(() => {})
  }

  function begin(acquired: string, handedOver: boolean): void {
    if (claim !== 'held' || token !== acquired) return
    claim = 'holding'
    options.gained(handedOver)
  }

  async function giveBack(given: string): Promise<void> {
    if (given !== '') await intake.release(partition, given).catch(() => {})
  }

  return {
    get claim() {
      return claim
    },
    get token() {
      return token
    },
    get expecting() {
      return leaver !== undefined
    },
    open() {
      opened = true
      opening++
      ask()
    },
    shut() {
      opened = false
      opening++
      clearTimeout(timer)
      const had = token
      fresh = newToken()
      drop()
      void giveBack(had)
    },
    fenced(refused) {
      if (refused !== token) return
      drop()
      later(0)
    },
    handover(of) {
      if (claim !== 'none') return
      leaver = { token: of, until: performance.now() + HANDOVER }
      later(0)
    },
    async release() {
      opened = false
      opening++
      clearTimeout(timer)
      const had = token
      claim = 'none'
      token = ''
      await giveBack(had)
    },
  }
}
