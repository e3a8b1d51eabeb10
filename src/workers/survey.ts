/** The primary's part of a count over workers: puts the question to all, adds up what comes in time. */
import { ANSWER_MS, MAX_QUESTIONS } from './limits.js'
import type { Count } from './messages.js'

export interface Survey {
  /** Puts a question to workers; `put` sends it to one of them. */
  ask(
    workers: readonly number[],
    put: (worker: number, id: number) => void,
    answered: (count: Count) => void,
  ): void
  answer(worker: number, id: number, count: number): void
  /** A worker has ended: what it had is gone, so nothing is missing without it. */
  leave(worker: number): void
}

interface Open {
  readonly awaited: Set<number>
  readonly settle: () => void
  count: number
}

export function createSurvey(): Survey {
  const open = new Map<number, Open>()
  /**
   * Workers that owe an answer. They aren't asked again before it has come: a frozen one must neither
   * delay every answer nor have questions pile up in its pipe.
   */
  const silent = new Set<number>()
  let lastId = 0

  function strike(survey: Open, worker: number, count: number): void {
    if (!survey.awaited.delete(worker)) return
    survey.count += count
    if (survey.awaited.size === 0) survey.settle()
  }

  return {
    ask(workers, put, answered) {
      const asked = workers.filter((worker) => !silent.has(worker))
      const missing = asked.length < workers.length
      if (asked.length === 0) return answered({ count: 0, partial: missing })
      if (open.size >= MAX_QUESTIONS) return answered({ count: 0, partial: true })
      const id = ++lastId
      const timer = setTimeout(() => {
        for (const worker of survey.awaited) silent.add(worker)
        survey.settle()
      }, ANSWER_MS)
      const survey: Open = {
        awaited: new Set(asked),
        count: 0,
        settle() {
          clearTimeout(timer)
          open.delete(id)
          answered({ count: survey.count, partial: missing || survey.awaited.size > 0 })
        },
      }
      open.set(id, survey)
      for (const worker of asked) put(worker, id)
    },
    answer(worker, id, count) {
      silent.delete(worker)
      const survey = open.get(id)
      if (survey !== undefined) strike(survey, worker, count)
    },
    leave(worker) {
      silent.delete(worker)
      for (const survey of open.values()) strike(survey, worker, 0)
    },
  }
}
