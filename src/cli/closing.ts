/** How processes of the gateway end. */
import type closeWithGrace from 'close-with-grace'

type Events = NonNullable<closeWithGrace.Options['skip']>[number]

/**
 * Signals of a process that is broken. Caught in JavaScript, the instruction that failed is only run
 * again: a process that should die spins for ever, deaf to everything but SIGKILL.
 */
export const FATAL: Events[] = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV']

/** Signals that ask for an end. */
export const ENDING = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR2',
] as const satisfies Events[]

/** Time for everything that isn't draining: the last appends, closing the log. */
export const CLOSING_MS = 5000
