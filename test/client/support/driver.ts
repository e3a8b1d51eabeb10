/** A client that a test steers, wherever it runs: in this process, or in a page. */
import { connect } from '../../../src/client/index.js'

/** What a client has told, in order. */
export type Note =
  | {
      readonly kind: 'event'
      readonly id: string | undefined
      readonly channel: string
      readonly data: unknown
      readonly state: string
    }
  | { readonly kind: 'gap'; readonly channel: string; readonly reason: string }
  | { readonly kind: 'state'; readonly state: string; readonly reason?: string }
  | { readonly kind: 'receipt'; readonly id: string; readonly data: unknown }

/** Options that can be sent to a page. */
export interface Settings {
  readonly url: string
  readonly channels: readonly string[]
  readonly rewind?: number
  readonly shared?: string | { readonly name: string; readonly worker: string }
  readonly token?: string
  /** Where a token is to be had by GET; asked for whenever the client wants one. */
  readonly tokens?: string
}

export interface Remote {
  readonly notes: () => Promise<readonly Note[]>
  /** Resolves once the predicate holds for the notes. It may run elsewhere, and sees nothing but its arguments. */
  until<A>(
    predicate: (notes: readonly Note[], argument: A) => boolean,
    argument: A,
  ): Promise<readonly Note[]>
  /** Without waiting for the gateway. */
  publish(channel: string, data: unknown): Promise<void>
  close(): Promise<void>
}

export interface Driver {
  open(settings: Settings): Promise<Remote>
}

export const nodeDriver: Driver = {
  async open({ url, channels, rewind, token, tokens }) {
    const notes: Note[] = []
    let wake = () => {}
    const note = (it: Note) => {
      notes.push(it)
      wake()
    }
    const client = connect({
      url,
      ...(token !== undefined && { token }),
      ...(tokens !== undefined && { getToken: async () => (await fetch(tokens)).text() }),
      onState: (it) =>
        note({ kind: 'state', state: it.state, ...('reason' in it && { reason: it.reason }) }),
      onGap: ({ channel, reason }) => note({ kind: 'gap', channel, reason }),
    })
    for (const channel of channels) {
      client.subscribe(
        channel,
        ({ id, data }) => note({ kind: 'event', id, channel, data, state: client.state.state }),
        { rewind },
      )
    }
    return {
      notes: async () => notes,
      async until(predicate, argument) {
        while (!predicate(notes, argument)) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        return notes
      },
      async publish(channel, data) {
        client.publish(channel, data).then(
          ({ id }) => note({ kind: 'receipt', id: id!, data }),
          // Closed before it could be sent.
          () => {},
        )
      },
      async close() {
        client.close()
      },
    }
  },
}
