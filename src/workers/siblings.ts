/** A worker's view of the others: it asks how many they have, and answers the same. */
import { MAX_QUESTIONS, TOTAL_MS } from './limits.js'
import type { Count, Question, ToPrimary, ToWorker } from './messages.js'

export interface Siblings {
  /** What this worker has, for when the others ask. */
  answerWith(count: (question: Question) => number): void
  /** The sum over the others; never rejects, and never takes long. */
  ask(question: Question): Promise<Count>
}

const NOBODY: Count = { count: 0, partial: false }
const UNHEARD: Count = { count: 0, partial: true }

/** Of a gateway that is one process. */
export const noSiblings: Siblings = {
  answerWith() {},
  ask: async () => NOBODY,
}

export interface SiblingsPort extends Siblings {
  /** What the primary says. */
  hear(message: ToWorker): void
}

export function createSiblings(send: (message: ToPrimary) => void): SiblingsPort {
  const asked = new Map<number, (count: Count) => void>()
  let count: (question: Question) => number = () => 0
  /** The primary owes an answer: it is asked again once it has come. */
  let silent = false
  let lastId = 0

  return {
    answerWith(own) {
      count = own
    },
    ask(question) {
      if (silent || asked.size >= MAX_QUESTIONS) return Promise.resolve(UNHEARD)
      const id = ++lastId
      return new Promise((resolve) => {
        const settle = (answer: Count) => {
          clearTimeout(timer)
          asked.delete(id)
          resolve(answer)
        }
        const timer = setTimeout(() => {
          silent = true
          settle(UNHEARD)
        }, TOTAL_MS)
        asked.set(id, settle)
        send({ type: 'ask', id, question })
      })
    },
    hear(message) {
      if (message.type === 'total') {
        silent = false
        asked.get(message.id)?.(message)
      }
      if (message.type === 'question') {
        send({ type: 'answer', id: message.id, count: count(message.question) })
      }
    },
  }
}
