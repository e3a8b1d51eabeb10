/** What the runs by hand share (soak, fuzz): options, clearing up, and what Ctrl-C does. */

export interface LongRun {
  /** Done at the end, what was begun last first. */
  undo(what: () => Promise<void> | void): void
  cleanUp(): Promise<void>
  /** Somebody has pressed Ctrl-C: what fails from now on is no news. */
  readonly interrupted: boolean
}

/** The options, or the end of the process: with 2 and the usage where they can't be read. */
export function readOrExit<T>(read: (args: string[]) => T | 'help', usage: string): T {
  try {
    const options = read(process.argv.slice(2))
    if (options !== 'help') return options
    console.log(usage)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}

export function startLongRun(): LongRun {
  const undo: (() => Promise<void> | void)[] = []
  let interrupted = false

  /** One that fails keeps none of the others. */
  async function cleanUp(): Promise<void> {
    for (const each of undo.splice(0).reverse()) {
      try {
        await each()
      } catch (error) {
        console.error(error)
      }
    }
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // A second one doesn't wait: the kernel ends the children with us.
      if (interrupted) process.exit(130)
      interrupted = true
      console.log(`\n${signal}: stopping`)
      void cleanUp().then(() => process.exit(130))
    })
  }
  return {
    undo: (what) => undo.push(what),
    cleanUp,
    get interrupted() {
      return interrupted
    },
  }
}
