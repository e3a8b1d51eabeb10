/** Who was present at one moment. Its texts are made once, for all who are told. */
import { chunk } from '../hub/chunk.js'
import { formatPosition, type Position } from '../wire/position.js'
import { dataLines } from '../wire/sse.js'

export class State {
  readonly channel: string
  /** True at this position of the channel `presence:C`. */
  readonly position: Position
  /** Everything about it, as JSON. */
  readonly json: string
  #block: string | undefined
  #control: string | undefined
  #chunk: Buffer | undefined

  /** `members`: a JSON array. */
  constructor(channel: string, position: Position, members: string) {
    this.channel = channel
    this.position = position
    const at = formatPosition(position.order, position.tag)
    this.json = `{"channel":"${channel}","position":"${at}","members":${members}}`
  }

  /** As a stream is told, without an id: it moves no cursor. */
  get block(): string {
    this.#block ??= `event: presence.state\n${dataLines(this.json)}\n`
    return this.#block
  }

  /** The same, ready for sockets: one Buffer, of however many who are told. */
  get chunk(): Buffer {
    this.#chunk ??= chunk(this.block)
    return this.#chunk
  }

  /** As a poll is told. */
  get control(): string {
    this.#control ??= `{"event":"presence.state","data":${this.json}}`
    return this.#control
  }
}
