/** The Function library inside Redis: its text, its names, calling it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/** Files of `functions/`, in the order in which they need each other. */
const PARTS = [
  ...['common', 'epochs', 'lease', 'inbox', 'documents', 'write', 'witness', 'read', 'follow'],
  ...['gate', 'verdicts', 'runs', 'nodes'],
] as const
const source = PARTS.map((part) =>
  readFileSync(new URL(`./functions/${part}.lua`, import.meta.url), 'utf8'),
).join('\n')
const version = createHash('sha1').update(source).digest('hex').slice(0, 8)
const library = `#!lua name=sluice_VERSION\n${source}`.replaceAll('VERSION', version)

export type FunctionName =
  | 'write'
  | 'write_full'
  | 'open'
  | 'info'
  | 'epochs'
  | 'read'
  | 'seek'
  | 'heads'
  | 'moved'
  | 'attend'
  | 'leave'
  | 'lease'
  | 'release'
  | 'inbox'
  | 'inbox_leave'
  | 'issue'
  | 'redeem'
  | 'claim'
  | 'owner'
  | 'take'
  | 'revoke'
  | 'remind'
  | 'verdicts'
  | 'run_begin'
  | 'run_resume'
  | 'run_renew'
  | 'run_touch'
  | 'run_describe'
  | 'run_forget'
  | 'run_finish'
  | 'run_stop'
  | 'run_stops'
  | 'run_get'
  | 'run_overdue'
  | 'run_keyed'
  | 'document_read'
  | 'document_renew'
  | 'document_overdue'
  | 'node_tell'
  | 'node_leave'
  | 'node_all'

const WRITING: ReadonlySet<FunctionName> = new Set([
  'write',
  'write_full',
  'open',
  'info',
  'attend',
  'leave',
  'lease',
  'release',
  'inbox',
  'inbox_leave',
  'issue',
  'redeem',
  'claim',
  'take',
  'revoke',
  'remind',
  'run_begin',
  'run_resume',
  'run_renew',
  'run_touch',
  'run_describe',
  'run_forget',
  'run_finish',
  'run_stop',
  'run_overdue',
  'run_keyed',
  'document_renew',
  'document_overdue',
  'node_tell',
  'node_leave',
  'node_all',
])

export type Argument = string | number

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** ioredis hangs a command's arguments on its error, and whoever logs the error would log events. */
function bare(error: unknown): unknown {
  if (error instanceof Error) delete (error as { command?: unknown }).command
  return error
}

/** Loads the library. Another gateway of the same version may have been first. */
export async function loadFunctions(client: Redis): Promise<void> {
  try {
    await client.call('FUNCTION', 'LOAD', library)
  } catch (error) {
    if (!/already exists/i.test(message(error))) throw bare(error)
  }
}

function send(client: Redis, name: FunctionName, base: string, args: readonly Argument[]) {
  const called = `sluice_${name}_${version}`
  return WRITING.has(name)
    ? client.fcall(called, 1, base, ...args)
    : client.fcall_ro(called, 1, base, ...args)
}

/**
 * Calls a function of the library on a partition. Where Redis doesn't know it (a restart without
 * persistence, FUNCTION FLUSH) it is loaded and called again: the first call had no effect. `behind`
 * sends what is to follow each call without waiting for its answer.
 */
export async function callFunction(
  client: Redis,
  name: FunctionName,
  base: string,
  args: readonly Argument[],
  behind?: () => void,
): Promise<unknown> {
  const call = () => {
    const answer = send(client, name, base, args)
    behind?.()
    return answer
  }
  try {
    return await call()
  } catch (error) {
    if (!/function not found/i.test(message(error))) throw bare(error)
    await loadFunctions(client)
    return await call()
  }
}

/** Whether the partition has no data: never used, or wiped. */
export function isEmptyLog(error: unknown): boolean {
  return message(error).includes('SLUICEEMPTY')
}

/**
 * Whether Redis refused before it executed anything, and may not refuse later. ASK and TRYAGAIN: the
 * slot is on its way to another master, some keys here and some there. ASK is not followed: a
 * partition's functions need all of its keys. It comes before a function runs, for the key that they
 * are called on never exists, so none is ever executed on a half of the keys.
 */
export function isRefusedForNow(error: unknown): boolean {
  return /^(LOADING|BUSY|OOM|MISCONF|NOREPLICAS|TRYAGAIN|ASK)\b/.test(message(error))
}

/** Whether Redis refused because this node is no master of the partition, or none that may serve. */
export function isElsewhere(error: unknown): boolean {
  return /^(MOVED|READONLY|MASTERDOWN|CLUSTERDOWN|UNBLOCKED)\b/.test(message(error))
}

/** Whether Redis refuses to write, but reads: full, unable to persist, without its replicas. */
export function isReadingOnly(error: unknown): boolean {
  return /^(OOM|MISCONF|NOREPLICAS)\b/.test(message(error))
}

/** Whether Redis has answered with an error, so that the connection is sound. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}
