/** The suite that holds every log to the comments of `src/log/log.ts`. */
import { contract, type Promised as PromisedOf } from '../support/contract.js'
import { appending } from './contract/appending.js'
import { ending } from './contract/ending.js'
import { fencing } from './contract/fencing.js'
import { following } from './contract/following.js'
import { keys } from './contract/keys.js'
import { model } from './contract/model.js'
import { reading } from './contract/reading.js'
import { retention } from './contract/retention.js'
import { seeking } from './contract/seeking.js'
import type { LogOptions, Subject } from './subject.js'

export type Promised = PromisedOf<Subject, LogOptions>

export const logContract = contract<Subject, LogOptions>({
  appending,
  keys,
  fencing,
  ending,
  reading,
  seeking,
  retention,
  following,
  model,
})
