/** What the readers of upstreams have in common. */

export const EXAMPLE =
  'write {"openai": {"url": "https://api.openai.com", "headers": {"authorization": "Bearer $OPENAI_API_KEY"}, "allow": ["POST /v1/chat/completions"]}}'

/** What is wrong with the upstreams, for the operator. It never holds the value of a header. No full stop. */
export class UpstreamsError extends Error {
  override readonly name = 'UpstreamsError'
  /** What to do. */
  readonly advice: string

  constructor(message: string, advice: string) {
    super(message)
    this.advice = advice
  }
}

/** Throws one, with the name of the upstream in front. */
export type Fail = (fault: string, advice: string) => never

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** For a message: not longer than it is of use. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}
