/**
 * The connection on which gateways hear of each other: sharded Pub/Sub on one name at partition 0.
 *
 *     changed ───────▶ everybody reads what is new among the verdicts
 *     renewal ───────▶ everybody; whoever has the session says ─▶ renewed, by its id
 *
 * Messages may be lost, and a connection may be deaf without a word. So it is asked for news each
 * second itself: what a lost message told is found then, and no answer is a dead connection.
 */
import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { isRefusedForNow, isReply } from '../log/redis/functions.js'
import type { Intake, IntakeLink } from '../log/redis/intake.js'
import type { Logger } from '../logger.js'
import { SluiceError } from '../wire/errors.js'
import { type Message, readMessage } from './shared-message.js'
import type { Sync } from './shared-sync.js'

export interface BusOptions {
  readonly intake: Intake
  readonly logger: Logger
  readonly sync: Sync
  /** ms between two questions for news. */
  readonly lookEvery: number
  /** ms that a renewal waits for an answer. */
  readonly renewalTimeout: number
  /** A session's token was renewed; whether it is this gateway's. */
  renewed(session: string, renewal: string): boolean
}

export interface Bus {
  /** Why nothing is heard; undefined while all is well. */
  readonly trouble: string | undefined
  /** Resolves when the bus is first up; rejects after `timeout` ms. */
  start(timeout: number): Promise<void>
  stop(): void
  /** Tells all gateways, this one too. Whether one has the session. */
  renew(session: string, renewal: string): Promise<boolean>
}

interface Asked {
  /** Redis has passed the question on. */
  told: boolean
  settle(answer: boolean | SluiceError): void
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

export function createBus(options: BusOptions): Bus {
  const { intake, logger, sync } = options
  const base = intake.base(0)
  const name = `${base}:z`
  /** Renewals that wait for an answer. */
  const asked = new Map<string, Asked>()
  let link: IntakeLink | undefined
  let looking: Redis | undefined
  let again = false
  let refused: string | undefined
  let timer: NodeJS.Timeout | undefined

  function connect(up: () => void): IntakeLink {
    return intake.link(base, {
      async prepare(client) {
        client.on('smessage', (_name: string, text: string) => hear(client, readMessage(text)))
        // The slot has moved: the node says so once, and nothing more will come from it.
        client.on('moved', () => link?.drop(client, 'the partition has moved to another node'))
        // Subscribed before it is read: what changes in between is heard of.
        await client.ssubscribe(name)
        sync.reset()
        await sync.round(client)
      },
      up() {
        logger.info({}, 'revocations: listening')
        refused = undefined
        timer = setInterval(look, options.lookEvery)
        look()
        up()
      },
      down(why) {
        logger.warn({ why }, 'revocations: connection lost')
        clearInterval(timer)
        for (const { settle } of asked.values()) settle(new SluiceError('log_unavailable'))
      },
    })
  }

  function hear(client: Redis, message: Message | undefined): void {
    switch (message?.kind) {
      case 'changed':
        look()
        break
      case 'renewal':
        if (renewed(message.session, message.renewal)) say(client, message.id)
        break
      case 'renewed':
        asked.get(message.id)?.settle(true)
        break
    }
  }

  /** What another version wrote may be of no use here; thrown at a socket it would end the process. */
  function renewed(session: string, renewal: string): boolean {
    try {
      return options.renewed(session, renewal)
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'a renewal that this gateway can’t read')
      return false
    }
  }

  function say(client: Redis, id: string): void {
    const own = asked.get(id)
    if (own !== undefined) own.settle(true)
    else publish(client, { kind: 'renewed', id }).catch(() => {})
  }

  async function publish(client: Redis, message: Message): Promise<void> {
    try {
      await client.spublish(name, JSON.stringify(message))
    } catch (error) {
      if (!isReply(error)) link?.drop(client, messageOf(error))
      throw new SluiceError('log_unavailable', { cause: error })
    }
  }

  /** One question at a time; whatever is heard meanwhile makes one more. */
  function look(): void {
    const client = link?.client
    if (client === undefined) return
    if (looking === client) {
      again = true
      return
    }
    looking = client
    again = false
    sync
      .round(client)
      .then(
        () => {
          refused = undefined
        },
        (error: unknown) => {
          if (isRefusedForNow(error)) refused = messageOf(error)
          else link?.drop(client, messageOf(error))
        },
      )
      .finally(() => {
        if (looking !== client) return
        looking = undefined
        if (again) look()
      })
  }

  return {
    get trouble() {
      if (link === undefined) return 'not started'
      return link.client === undefined ? link.trouble : refused
    },
    start: (timeout) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          const cause = link?.trouble
          link?.stop()
          reject(new SluiceError('log_unavailable', { cause }))
        }, timeout)
        link = connect(() => {
          clearTimeout(late)
          resolve()
        })
      }),
    stop() {
      clearInterval(timer)
      link?.stop()
      for (const { settle } of asked.values()) settle(new SluiceError('log_unavailable'))
    },
    async renew(session, renewal) {
      const client = link?.client
      if (client === undefined) throw new SluiceError('log_unavailable', { cause: link?.trouble })
      const id = randomBytes(12).toString('base64url')
      return new Promise((resolve, reject) => {
        const settle = (answer: boolean | SluiceError) => {
          clearTimeout(patience)
          asked.delete(id)
          if (typeof answer === 'boolean') resolve(answer)
          else reject(answer)
        }
        const question: Asked = { told: false, settle }
        // Where Redis itself is silent, nobody was asked.
        const patience = setTimeout(
          () => settle(question.told ? false : new SluiceError('log_unavailable')),
          options.renewalTimeout,
        )
        asked.set(id, question)
        publish(client, { kind: 'renewal', id, session, renewal }).then(() => {
          question.told = true
        }, settle)
      })
    },
  }
}
