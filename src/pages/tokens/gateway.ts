/** What the page asks of the gateway beside the text itself. */

/** Of a run, as far as it is looked at here. */
export interface RunState {
  readonly state: 'running' | 'done' | 'error' | 'aborted'
  readonly error?: { readonly message: string }
}

/** What all of these reject with; `code` is the gateway's, where it has answered. */
export interface RefusedError extends Error {
  readonly code?: string
}

/** Begins an answer; gives the id of its run. */
export async function ask(question: string): Promise<string> {
  const query = new URLSearchParams({ question })
  const answer = await request(`/demo/answers?${query}`, { method: 'POST' })
  return (answer as { run: string }).run
}

/** Rejects where there is no such run (any more). */
export function stateOf(run: string): Promise<RunState> {
  return request(runUrl(run)) as Promise<RunState>
}

/** Ends the run for every reader, wherever it is read. */
export async function stop(run: string): Promise<void> {
  // keepalive: it arrives even if the page goes.
  await request(`${runUrl(run)}/stop`, { method: 'POST', keepalive: true })
}

export function runUrl(run: string): string {
  return `/v1/runs/${encodeURIComponent(run)}`
}

async function request(url: string, init?: RequestInit): Promise<unknown> {
  const answer = await fetch(url, init).catch(() => {
    // `fetch` fails in words of each browser's own.
    throw new Error('The gateway can’t be reached.')
  })
  const body = await answer.json().catch(() => ({}))
  if (answer.ok) return body
  const message = body.detail ?? `The gateway answers ${answer.status}.`
  throw Object.assign(new Error(message), { code: body.code })
}
