/** All attacks. Short ones come by the thousand; those that take their time wait in lanes of their own. */
import type { Attack } from './attack.js'
import { chunks, garbageUpload, huge } from './bodies.js'
import { mutated, pipelined, right } from './exchange.js'
import { churn, halfClosed, torn } from './leaving.js'
import { noise } from './noise.js'
import { smuggle } from './smuggle.js'
import { dripping, neverReading, stalled } from './stalling.js'
import { tickets } from './tickets.js'

export const QUICK: readonly Attack[] = [
  ...[right, mutated, pipelined, noise, tickets],
  ...[chunks, garbageUpload, huge, smuggle],
  ...[halfClosed, torn, churn],
]
export const SLOW: readonly Attack[] = [stalled, dripping, neverReading]
