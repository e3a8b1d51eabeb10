/** A body on its way to somebody who may take it slowly, but not hold it for ever. */
import type { Later } from './body.js'

export interface TakingOptions {
  /** ms in which the next part must be asked for. */
  readonly slowMs: number
  readonly later: Later
  /** Nobody asks for more. */
  stuck(): void
}

/**
 * The parts of a body as they come. The clock runs only while one has been handed on: how long the next
 * takes to come is its source's affair. After the last one it runs until `over` is called, for what fills
 * a stuck peer's buffers still waits there.
 */
export function taking(
  body: AsyncIterable<Buffer>,
  { slowMs, later, stuck }: TakingOptions,
): { readonly parts: AsyncIterable<Buffer>; over(): void } {
  let cancel = () => {}
  async function* parts(): AsyncGenerator<Buffer> {
    for await (const part of body) {
      cancel = later(stuck, slowMs)
      yield part
      cancel()
    }
    cancel = later(stuck, slowMs)
  }
  return { parts: parts(), over: () => cancel() }
}
