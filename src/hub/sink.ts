/** Where a stream's bytes go. The hub writes ready bytes and knows nothing of HTTP. */
export interface Sink {
  /** Who writes here. Set once, before the first write. */
  owner: SinkOwner | undefined
  /**
   * Takes bytes framed as HTTP/1.1 chunks (`chunk.ts`). False: full; nothing more until the owner is
   * told `drained`. What was given is delivered either way, or the sink closes.
   */
  write(chunks: Buffer): boolean
  /** Holds writes back until `uncork`, so that they leave together. */
  cork(): void
  uncork(): void
  /** Bytes that were given and haven't left. */
  readonly buffered: number
  /** Ends the body properly. */
  end(): void
  /** Breaks off: for readers that take a proper end for success. */
  destroy(): void
}

/** What a sink tells. An object rather than two callbacks: an idle stream costs what hangs on its socket. */
export interface SinkOwner {
  /** A full sink takes more again. */
  drained(): void
  /** The sink is closed, whoever did it. Told once. */
  close(): void
}
