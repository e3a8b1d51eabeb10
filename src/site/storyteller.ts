/**
 * The small model behind the demo of token streaming: a backend like anybody's, which pushes what it
 * generates into a run by the public API (docs/llm.md, "Push").
 */
import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { SluiceError } from '../wire/errors.js'
import { answerTo, piecesOf } from './answers.js'

/** Milliseconds until the first token: a model reads before it speaks. */
const THINKING_MS = 400
/** Milliseconds between two tokens at least, and as much again by chance. */
const PACE_MS = 22
/** Answers at one time. */
const MAX_SPEAKING = 20

export interface Storyteller {
  /**
   * Pushes `{question}`, `{token}`s and `{done}` into the run, which is there when it resolves; false
   * where too many answers are under way.
   */
  tell(run: string, question: string): Promise<boolean>
  /** Says at once what is left, so that nobody waits for it and every answer is whole. */
  stop(): void
}

/** `gateway`: its address, of now. */
export function createStoryteller(gateway: () => string): Storyteller {
  const over = new AbortController()
  let speaking = 0

  /** Whoever has to come to an end doesn't pause. */
  async function pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { ref: false, signal: over.signal }).catch(() => {})
  }

  /** Until everything is said, or the gateway answers: somebody has stopped the run. */
  async function speak(body: ClientRequest, pieces: readonly string[]): Promise<void> {
    let answered = false
    const answer = once(body, 'response').then(([response]) => {
      answered = true
      response.resume()
    })
    // That it fails is said by `answer`. What fails after an answer nobody asks.
    body.on('error', () => {})

    async function say(): Promise<void> {
      const closed = () => answered || body.destroyed
      body.flushHeaders()
      await pause(THINKING_MS)
      for (const piece of pieces) {
        if (closed()) break
        body.write(`${JSON.stringify({ token: piece })}\n`)
        await pause(PACE_MS * (1 + Math.random()))
      }
      // As all formats have it: a reader needn't ask whether that was all.
      body.end(closed() ? '' : `${JSON.stringify({ done: true })}\n`)
    }
    // Both at once: the request may fail while the model pauses.
    await Promise.all([answer, say()])
  }

  return {
    async tell(run, question) {
      if (over.signal.aborted) throw new SluiceError('draining')
      if (speaking >= MAX_SPEAKING) return false
      speaking++
      const url = new URL(`/v1/runs/${run}`, gateway())
      try {
        // The first item begins the run: whoever is told of it finds it there.
        const headers = { 'content-type': 'application/json' }
        const first = JSON.stringify({ question })
        await fetch(`${url}/events`, { method: 'POST', headers, body: first })
      } catch (error) {
        speaking--
        throw error
      }
      const headers = { 'content-type': 'application/x-ndjson' }
      const body = request(url, { method: 'PUT', headers })
      // A run whose producer is gone ends by itself: nothing is left to be done.
      speak(body, piecesOf(answerTo(question)))
        .catch(() => {})
        .finally(() => speaking--)
      return true
    },
    stop: () => over.abort(),
  }
}
