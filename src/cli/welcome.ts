/** What somebody at a terminal may type next: lines that work as they stand. */
import { basename, relative } from 'node:path'
import { type Config, isLocked } from '../config.js'
import type { Style } from './style.js'

/** What runs this command line again. In a checkout npx would build it anew under the running gateway. */
function self(): string {
  const path = process.argv[1] ?? ''
  return basename(path) === 'sluice' ? 'npx sluice' : `node ${relative(process.cwd(), path)}`
}

/** `sluice`: how the command line is called. Default: as this process was. */
export function welcome(url: string, config: Config, style: Style, sluice = self()): string {
  const events = `'${url}/v1/events?channel=hello'`
  const locked = isLocked(config)
  // In double quotes: it is the shell that puts the token in.
  const header = locked ? '-H "Authorization: Bearer $SLUICE_TOKEN" ' : ''
  const rows = [
    ...(locked
      ? keyRows(config, sluice)
      : [['open', 'everybody on this machine may do everything']]),
    ...(config.pages ? [['look', `${url}${locked ? '/inspect' : '/'} in a browser`]] : []),
    ['read', `curl -N ${header}${events}`],
    ['write', `curl -d 'Hello' -H 'content-type: text/plain' ${header}${events}`],
    ['speak', `echo 'One word after the other' | ${sluice} publish hello --words --url ${url}`],
  ]
  const lines = rows.map(([name = '', line]) => `  ${style.bold(name.padEnd(8))}${line}\n`)
  return `\n${lines.join('')}\n`
}

/** Where a token for the lines below comes from. It is never shown itself: terminals are recorded. */
function keyRows({ jwtSecrets, apiKeys }: Config, sluice: string): string[][] {
  const rows = (need: string, token: string) => [
    ['locked', `callers need ${need}:`],
    ['', `export SLUICE_TOKEN=${token}`],
  ]
  if (jwtSecrets.length > 0) {
    const mint = `$(${sluice} token --channels 'hello=subscribe,publish')`
    return rows('a token; where SLUICE_JWT_SECRET is set as it is here', mint)
  }
  if (apiKeys.length > 0) {
    const first = '$(echo "$SLUICE_API_KEY" | cut -d, -f1)'
    return rows('an API key; where SLUICE_API_KEY is set as it is here', first)
  }
  return rows('a token of your issuer’s, here with rights on "hello"', "'…'")
}
