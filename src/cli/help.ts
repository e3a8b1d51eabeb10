/** `sluice --help` and `sluice <command> --help`. */
import type { Command } from './command.js'
import { columns, type Style } from './style.js'

export function generalHelp(commands: readonly Command[], style: Style, version: string): string {
  const head = (title: string) => `\n${style.bold(title)}\n`
  return [
    `${style.bold('sluice')} ${version}: POST in, one resumable stream of Server-Sent Events out\n`,
    head('Usage'),
    columns([['sluice <command> [options]'], ['sluice <command> --help']]),
    head('Commands'),
    columns(commands.map((command) => [command.name, command.summary])),
    head('A first look'),
    columns([
      ['sluice serve', '# the gateway, on http://127.0.0.1:8080'],
      ['sluice tail chat:7', '# in a second terminal: read'],
      ["sluice publish chat:7 'hello'", '# in a third: write'],
    ]),
    head('Environment'),
    columns([
      ['SLUICE_URL', 'the gateway that publish and tail talk to; http://127.0.0.1:8080'],
      ['SLUICE_TOKEN', 'what they show to a locked one: a token or an API key'],
      ['SLUICE_…', 'every option of serve: sluice serve --help'],
      ['NO_COLOR', 'set to anything: no colours'],
    ]),
    head('Exit codes'),
    columns([
      ['0', 'done'],
      ['1', 'it failed: refused, out of reach, or not able to start'],
      ['2', 'the command line or the configuration can’t be understood'],
    ]),
  ].join('')
}

export function commandHelp(command: Command, style: Style): string {
  const flags = command.flags.map(({ flag, takes, help }) => [
    takes === undefined ? `--${flag}` : `--${flag} <${takes}>`,
    help,
  ])
  const sections = [
    { title: 'Options', rows: flags },
    ...(command.sections ?? []),
    { title: 'Examples', rows: command.examples.map((example) => [example]) },
  ]
  return [
    `${style.bold('Usage')}\n  sluice ${command.usage}\n\n${command.about}\n`,
    ...sections
      .filter((section) => section.rows.length > 0)
      .map((section) => `\n${style.bold(section.title)}\n${columns(section.rows)}`),
  ].join('')
}
