/** Events of which nothing is known. */
import type { Format } from '../format.js'
import { ABORTED } from './reading.js'

export const plain: Format = {
  name: 'plain',
  read: () => ({ feed() {}, text: undefined, usage: undefined, end: undefined }),
  /**
   * To an EventSource this is an `error` event, the same as of a lost connection, but with `data`. A page
   * that knows nothing of runs hears at least that something is wrong; by another name it would hear
   * nothing, and take the silence for the end.
   */
  broken: ({ code, message }) => [
    { name: 'error', data: JSON.stringify({ error: { code, message } }) },
  ],
  /** Nothing is wrong here: by a name of its own, for those who listen to it. */
  aborted: () => [{ name: 'aborted', data: JSON.stringify({ message: ABORTED.message }) }],
}
