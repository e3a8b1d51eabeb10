/** Where a stream's bytes go. The hub writes ready bytes and knows nothing of HTTP. */
export interface Sink {
  /**
   * Takes bytes framed as HTTP/1.1 chunks (`chunk.ts`). False: full; nothing more until `onDrain`.
   * What was given is delivered either way, or the sink closes.
   */
  write(chunks: Buffer): boolean
  /** Holds writes back until `uncork`, so that they leave together. */
  cork(): void
  uncork(): void
  /** Ends the body properly. */
  end(): void
  /** Breaks off: for readers that take a proper end for success. */
  destroy(): void
  /** Called when a full sink takes more again. */
  onDrain: () => void
  /** Called once, whoever closed. */
  onClose: () => void
}
