/**
 * Many who are present, some of whom flap, over several gateways; and watchers who must know at every
 * moment what `GET /v1/presence` says of it.
 */
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { parsePosition } from '../../src/wire/position.js'
import type { PresenceMember, PresenceState } from '../../src/wire/presence.js'
import { ask } from '../routes/support/ask.js'
import { open } from '../routes/support/stream.js'
import { type Random, seeded } from '../support/random.js'
import { until } from '../support/until.js'
import { inOrder, Watcher } from '../support/watcher.js'

export interface StormOptions {
  /** Of the gateways; all on one store. */
  readonly urls: readonly string[]
  readonly channel: string
  readonly members: number
  /** Those among them whose connections come and go. */
  readonly flapping: number
  readonly ms: number
  /** ms that somebody may be away. */
  readonly graceMs: number
  /** ms after the grace at which somebody must have left. */
  readonly slackMs: number
  readonly seed: number
}

export interface Report {
  /** What must not be; empty: all is well. */
  readonly faults: readonly string[]
  /** ms until all were there who came at once. */
  readonly openMs: number
  readonly cuts: number
  readonly leaves: number
  /** Reconnects that took longer than the grace, by which the machine is too slow for a verdict. */
  readonly late: number
  /** States that were compared with what a watcher knew. */
  readonly compared: number
  readonly diffs: number
}

/** Sessions are long enough, and tell who is who. */
const sessionOf = (i: number) => `member-${i}`.padEnd(22, '_')

/** One who is present. */
class Member {
  readonly #options: StormOptions
  readonly #random: Random
  readonly #i: number
  #request: ClientRequest | undefined
  /** Public id. */
  id = ''
  cutAt = 0
  /** True leaves, and reconnects that came too late to be none. */
  leaves = 0
  late = 0

  constructor(options: StormOptions, i: number) {
    this.#options = options
    this.#i = i
    this.#random = seeded(options.seed + i)
  }

  async enter(): Promise<void> {
    const { urls, channel } = this.#options
    const url = urls[this.#random.between(0, urls.length - 1)]!
    const query = `channel=${channel}&session=${sessionOf(this.#i)}&presence={"i":${this.#i}}`
    const req = request(`${url}/v1/events?${query}`, { agent: false })
    this.#request = req
    req.end()
    const [response] = (await once(req, 'response')) as [IncomingMessage]
    req.on('error', () => {})
    if (response.statusCode !== 200) {
      const problem = await text(response)
      // A machine that is too busy; clients come back.
      if (response.statusCode !== 503) throw new Error(problem)
      await pause(this.#random.between(500, 1500))
      return this.enter()
    }
    const [first] = (await once(response, 'data')) as [Buffer]
    this.id = /"session":"([^"]+)"/.exec(String(first))![1]!
    response.on('error', () => {})
    response.resume()
  }

  cut(): void {
    this.cutAt = performance.now()
    this.#request?.destroy()
  }

  /** Comes and goes until it is told to stop. */
  async flap(
    over: () => boolean,
    hasLeft: (id: string, times: number) => boolean,
  ): Promise<number> {
    const { graceMs, slackMs } = this.#options
    let cuts = 0
    while (!over()) {
      await pause(this.#random.between(20, graceMs))
      this.cut()
      cuts++
      if (this.#random.next() < 0.2) {
        const times = ++this.leaves
        await until(`${this.id} left`, () => hasLeft(this.id, times), graceMs + slackMs)
        await this.enter()
        continue
      }
      await pause(this.#random.between(0, graceMs / 2))
      await this.enter()
      if (performance.now() - this.cutAt > graceMs) this.late++
    }
    return cuts
  }
}

export async function runStorm(options: StormOptions): Promise<Report> {
  const { urls, channel, members: count, flapping, ms, graceMs, seed } = options
  const random = seeded(seed)
  const faults: string[] = []
  const undo: (() => void)[] = []

  /** A watcher of one gateway that is never cut. */
  async function watch(url: string): Promise<Watcher> {
    const watcher = new Watcher(channel)
    const stream = await open(`${url}/v1/events?channel=presence:${channel}`)
    undo.push(stream.close)
    let at = 0
    const follow = stream.until((blocks) => {
      for (; at < blocks.length; at++) {
        const { event, json } = blocks[at]!
        const before = watcher.told.length
        watcher.take(event, json)
        for (const { diff } of watcher.told.slice(before)) judge(watcher, diff.left)
      }
      return false
    })
    follow.catch(() => {})
    await stream.event('presence.state')
    return watcher
  }

  const members = Array.from({ length: count }, (_, i) => new Member(options, i))
  const byId = new Map<string, Member>()
  const left = new Map<string, number>()

  /** Nobody leaves before the grace is over. */
  function judge(watcher: Watcher, gone: readonly { readonly id: string }[]): void {
    if (watcher !== watchers[0]) return
    for (const { id } of gone) {
      left.set(id, (left.get(id) ?? 0) + 1)
      const away = performance.now() - byId.get(id)!.cutAt
      // The clocks are two, and whole milliseconds.
      if (away < graceMs - 5) faults.push(`${id} left after ${Math.round(away)} ms`)
    }
  }

  const watchers: Watcher[] = []
  for (const url of urls) watchers.push(await watch(url))
  const states: PresenceState[] = []
  const look = async () => {
    const url = urls[random.between(0, urls.length - 1)]!
    const { status, json, text } = await ask(`${url}/v1/presence?channel=${channel}`)
    if (status === 200) states.push(json)
    else if (status !== 503) throw new Error(text)
  }
  try {
    // All at once: what a deploy looks like.
    const began = performance.now()
    await Promise.all(members.map((member) => member.enter()))
    const openMs = Math.round(performance.now() - began)
    for (const member of members) byId.set(member.id, member)
    if (byId.size !== count) faults.push(`${byId.size} ids for ${count} sessions`)
    const end = performance.now() + ms
    const over = () => performance.now() > end
    const looking = (async () => {
      while (!over()) {
        await look()
        await pause(50)
      }
    })()
    const hasLeft = (id: string, times: number) => (left.get(id) ?? 0) >= times
    const flaps = members.slice(0, flapping).map((member) => member.flap(over, hasLeft))
    // A watcher that comes in the middle of it knows as much as one that was there from the start.
    await pause(ms / 2)
    watchers.push(await watch(urls[0]!))
    const cuts = (await Promise.all(flaps)).reduce((sum, it) => sum + it, 0)
    await looking
    await look()
    const last = parsePosition(states.at(-1)!.position)!.order
    await Promise.all(
      watchers.map((watcher) =>
        until(
          'all is told',
          () => same(watcher.all, states.at(-1)!.members) || watcher.order > last,
        ),
      ),
    )
    for (const member of members) {
      const times = left.get(member.id) ?? 0
      if (times >= member.leaves && times <= member.leaves + member.late) continue
      faults.push(`${member.id} left ${times} times, not ${member.leaves}`)
    }
    const compared = states.filter((state) => compare(watchers, state, faults)).length
    for (const watcher of watchers) faults.push(...watcher.faults)
    const sum = (of: (member: Member) => number) => members.reduce((all, it) => all + of(it), 0)
    return {
      ...{ faults, openMs, cuts, compared, diffs: watchers[0]!.told.length },
      leaves: sum((it) => it.leaves),
      late: sum((it) => it.late),
    }
  } finally {
    for (const member of members) member.cut()
    for (const each of undo) each()
  }
}

/** What each watcher knew at a state's position is what the state says. */
function compare(watchers: readonly Watcher[], state: PresenceState, faults: string[]): boolean {
  const { order } = parsePosition(state.position)!
  let compared = false
  for (const [i, watcher] of watchers.entries()) {
    const known = watcher.at(order)
    if (known === undefined) continue
    compared = true
    if (!same(known, state.members)) faults.push(`watcher ${i} knew else at ${state.position}`)
  }
  return compared
}

const same = (a: readonly PresenceMember[], b: readonly PresenceMember[]) =>
  JSON.stringify(inOrder(a)) === JSON.stringify(inOrder(b))
