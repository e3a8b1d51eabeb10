/** From the command line to a command and an exit code. */
import { ConfigError, nearest } from '../config.js'
import { version } from '../version.js'
import { type Command, EXIT, type Io, UsageError } from './command.js'
import { commandHelp, generalHelp } from './help.js'
import { publishCommand } from './publish.js'
import { serveCommand } from './serve.js'
import { styleFor } from './style.js'
import { tailCommand } from './tail.js'
import { tokenCommand } from './token.js'

const COMMANDS: readonly Command[] = [serveCommand, publishCommand, tailCommand, tokenCommand]

/** Runs a command line. Resolves with the exit code; undefined: the command goes on by itself. */
export async function main(argv: readonly string[], io: Io): Promise<number | undefined> {
  const [name, ...args] = argv
  const style = styleFor(io.stdout, io.env)
  if (name === '--version' || name === '-v') {
    io.stdout.write(`${version()}\n`)
    return EXIT.ok
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const about = COMMANDS.find((command) => command.name === args[0])
    io.stdout.write(about ? commandHelp(about, style) : generalHelp(COMMANDS, style, version()))
    return EXIT.ok
  }
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command === undefined) {
    const names = COMMANDS.map((candidate) => candidate.name)
    const near = nearest(name, names)
    const advice = near === undefined ? `they are ${names.join(', ')}` : `did you mean ${near}?`
    return complain(io, `there is no command ${JSON.stringify(name)}; ${advice}`, 'sluice --help')
  }
  // Up to `--` only: behind it stands data.
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  if (options.includes('--help') || options.includes('-h')) {
    io.stdout.write(commandHelp(command, style))
    return EXIT.ok
  }
  try {
    return await command.run(args, io)
  } catch (error) {
    const hint = `sluice ${name} --help`
    if (error instanceof ConfigError) return complain(io, error.message, hint)
    if (isUsageError(error)) return complain(io, advise(error.message, command), hint)
    throw error
  }
}

function isUsageError(error: unknown): error is Error {
  const code = (error as { code?: unknown }).code
  return (
    error instanceof UsageError ||
    (error instanceof Error && String(code).startsWith('ERR_PARSE_ARGS'))
  )
}

/** parseArgs names the unknown flag; the nearest known one is added. */
function advise(message: string, command: Command): string {
  const wrong = /^Unknown option '--?([^']+)'/.exec(message)?.[1]
  if (wrong === undefined) return message
  const names = command.flags.map((flag) => flag.flag)
  const near = nearest(wrong, names)
  return `there is no option --${wrong}${near === undefined ? '' : `; did you mean --${near}?`}`
}

function complain(io: Io, message: string, hint: string): number {
  const style = styleFor(io.stderr, io.env)
  const lines = message.split('\n').map((line) => `${style.alarm('sluice:')} ${line}\n`)
  io.stderr.write(`${lines.join('')}${style.dim(`See ${hint}`)}\n`)
  return EXIT.usage
}
