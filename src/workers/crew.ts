/**
 * The primary: starts the workers, replaces those that end, sums up what they count, ends with them.
 * It serves nobody and accepts nothing itself: the workers share the listening socket.
 */
import cluster, { type Worker } from 'node:cluster'
import type { Config } from '../config.js'
import type { Logger } from '../logger.js'
import { MAX_ENDS } from './limits.js'
import type { Question, ToPrimary, ToWorker } from './messages.js'
import { delayAfter, endsInRow } from './patience.js'
import { createSurvey } from './survey.js'

export interface CrewOptions {
  readonly config: Config
  readonly logger: Logger
  /** The program of a worker. */
  readonly program: string
  /** Workers end again and again, and none serves any more: there is nothing left to hope for. */
  readonly onGivenUp: (reason: string) => void
}

export interface Crew {
  /** Resolves with the address once every worker serves. Rejects with what a worker couldn't start for. */
  start(): Promise<string>
  /** Lets all workers drain; resolves when they have ended, with whether all did so properly. */
  close(): Promise<boolean>
  /** Ends all workers at once. */
  kill(): void
}

interface Member {
  readonly number: number
  readonly worker: Worker
  /** The port it asks for. */
  readonly port: number
  /** Since when it serves, by performance.now(); undefined: not yet. */
  servesSince: number | undefined
}

export function createCrew({ config, logger, program, onGivenUp }: CrewOptions): Crew {
  const members = new Map<number, Member>()
  const pauses = new Set<NodeJS.Timeout>()
  /** Of each number: ends in a row that came too soon. */
  const ends = new Map<number, number>()
  const survey = createSurvey()
  let { port } = config
  let url: string | undefined
  let started = false
  let settingsTold = false
  let closing = false
  let clean = true
  let onStarted: ((url: string) => void) | undefined
  let onFailed: ((error: Error) => void) | undefined
  let onClosed: (() => void) | undefined

  const serving = () => [...members.values()].filter((it) => it.servesSince !== undefined)

  // The callback: without one, a pipe whose other end is gone is an error that ends this process.
  const send = ({ worker }: Member, message: ToWorker) => void worker.send(message, () => {})

  function launch(number: number): void {
    // Workers share a port by the number that they ask for: those that come while others have a free
    // one must ask for a free one too. Where nobody is left, the address that was told is asked for.
    if (url !== undefined && members.size === 0) port = Number(new URL(url).port)
    const member: Member = { number, port, worker: cluster.fork(), servesSince: undefined }
    members.set(number, member)
    member.worker.on('message', (message: ToPrimary) => hear(member, message))
    member.worker.on('error', (err) => logger.error({ err, worker: number }, 'a worker is deaf'))
    member.worker.on('exit', (code, signal) => onExit(member, code, signal))
  }

  function begin(member: Member): void {
    if (closing) {
      send(member, { type: 'close' })
      return
    }
    // Rounded down: the machine never has more than it was allowed.
    const maxStreams = Math.max(1, Math.floor(config.maxStreams / config.workers))
    const { number, port } = member
    const own = { ...config, port, maxStreams }
    send(member, { type: 'begin', number, config: own, settingsTold })
  }

  function hear(member: Member, message: ToPrimary): void {
    const { number } = member
    if (message.type === 'here') begin(member)
    if (message.type === 'ready') onReady(member, message.url)
    if (message.type === 'failed') onRefusal(member, message.code, message.message)
    if (message.type === 'ask') inquire(member, message.id, message.question)
    if (message.type === 'answer') survey.answer(number, message.id, message.count)
  }

  function onRefusal({ number }: Member, code: string | undefined, reason: string): void {
    if (started) logger.error({ worker: number, reason }, 'a worker can’t start')
    else onFailed?.(Object.assign(new Error(reason), { code }))
  }

  function inquire(member: Member, id: number, question: Question): void {
    const others = serving().filter((it) => it !== member)
    survey.ask(
      others.map((it) => it.number),
      (number, id) => {
        const asked = members.get(number)
        if (asked !== undefined) send(asked, { type: 'question', id, question })
      },
      (count) => send(member, { type: 'total', id, ...count }),
    )
  }

  function onReady(member: Member, at: string): void {
    const { number, worker } = member
    url ??= at
    if (at !== url) {
      // It asked for any port when the last that held the told one ended.
      logger.warn({ worker: number, address: at }, 'a worker is at another address: started again')
      worker.process.kill('SIGKILL')
      return
    }
    member.servesSince = performance.now()
    settingsTold = true
    logger.info({ worker: number, pid: worker.process.pid }, 'worker up')
    if (started) return
    // The first one alone: what is wrong with the configuration or Redis is said once.
    if (number === 1 && members.size === 1) for (let n = 2; n <= config.workers; n++) launch(n)
    if (serving().length < config.workers) return
    started = true
    onStarted?.(url)
  }

  function onExit(member: Member, code: number | null, signal: string | null): void {
    const { number, worker, servesSince } = member
    if (members.get(number) === member) members.delete(number)
    survey.leave(number)
    if (closing) {
      if (code !== 0) clean = false
      if (members.size === 0) onClosed?.()
      return
    }
    const served = servesSince === undefined ? 0 : performance.now() - servesSince
    const inRow = endsInRow(ends.get(number) ?? 0, served)
    ends.set(number, inRow)
    const how = { worker: number, pid: worker.process.pid, ...(signal ? { signal } : { code }) }
    if (inRow >= MAX_ENDS && serving().length === 0) {
      const reason = `worker ${number} ended ${inRow} times in a row, and no other serves (last: ${signal ?? `exit code ${code}`})`
      closing = true
      if (started) onGivenUp(reason)
      else onFailed?.(new Error(reason))
      return
    }
    const restartMs = delayAfter(inRow)
    logger.warn({ ...how, restartMs }, 'a worker ended')
    const pause = setTimeout(() => {
      pauses.delete(pause)
      launch(number)
    }, restartMs)
    pauses.add(pause)
  }

  return {
    start() {
      // Whatever NODE_CLUSTER_SCHED_POLICY says. Rejected: accepting here and handing over by turns. A
      // connection that is on its way to a worker that dies is then held open by this process for ever
      // (one in some hundred reconnects after a kill), and its client waits for as long.
      cluster.schedulingPolicy = cluster.SCHED_NONE
      cluster.setupPrimary({
        exec: program,
        args: [],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      return new Promise((resolve, reject) => {
        onStarted = resolve
        onFailed = reject
        launch(1)
      })
    },
    close() {
      closing = true
      for (const pause of pauses) clearTimeout(pause)
      return new Promise((resolve) => {
        onClosed = () => resolve(clean)
        if (members.size === 0) onClosed()
        for (const member of members.values()) send(member, { type: 'close' })
      })
    },
    kill() {
      closing = true
      for (const pause of pauses) clearTimeout(pause)
      for (const { worker } of members.values()) worker.process.kill('SIGKILL')
    },
  }
}
