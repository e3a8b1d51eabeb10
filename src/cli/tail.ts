/** `sluice tail`: read channels. */
import { parseArgs } from 'node:util'
import { type EventItem, type Item, type State, subscribe } from '../client/index.js'
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js'
import { gatewayToken, TOKEN_FLAG } from './credentials.js'
import { createOutput, explain, gatewayUrl } from './output.js'
import { harmless, type Style, styleFor } from './style.js'

const flags = [
  { flag: 'after', takes: 'cursor', help: 'a cursor, "earliest" or "latest" [latest]' },
  { flag: 'rewind', takes: 'amount', help: 'begin with the last 20 events, or the last 5m' },
  { flag: 'text', help: 'the text of text events as it is, joined, and nothing else' },
  { flag: 'json', help: 'one envelope per line' },
  { flag: 'url', takes: 'url', help: 'the gateway [SLUICE_URL, or http://127.0.0.1:8080]' },
  TOKEN_FLAG,
] as const

export const tailCommand: Command = {
  name: 'tail',
  summary: 'read channels as events come',
  usage: 'tail <channel>… [options]',
  about:
    'Prints events as they come, and resumes by itself where a connection was lost. What may be\n' +
    'missing, a lost connection and its return are told on stderr. Ends when every channel has ended.',
  flags,
  examples: [
    'sluice tail chat:7',
    'sluice tail story --text --rewind 5m',
    'sluice tail logs:app logs:db --json --after earliest | jq .data',
  ],
  run,
}

interface Values {
  readonly after?: string
  readonly rewind?: string
  readonly text?: boolean
  readonly json?: boolean
  readonly url?: string
  readonly token?: string
}

async function run(args: readonly string[], io: Io): Promise<number> {
  const parsed = parseArgs({
    args: [...args],
    options: parseOptions(flags),
    allowPositionals: true,
  })
  const values = parsed.values as Values
  const channels = parsed.positionals
  if (channels.length === 0) throw new UsageError('name a channel: sluice tail <channel>')
  if (values.text && values.json) throw new UsageError('choose --text or --json')
  const url = gatewayUrl(values.url, io.env)
  if (!URL.canParse(url)) throw new UsageError(`${JSON.stringify(url)} is not a URL`)
  const token = gatewayToken(values.token, io.env)

  const output = createOutput(io.stdout)
  const style = styleFor(io.stdout, io.env)
  const widest = Math.min(40, Math.max(...channels.map((channel) => channel.length)))
  const print = values.json
    ? envelope
    : values.text
      ? bareText
      : (event: EventItem) => line(event, style, channels.length > 1 ? widest : 0)
  const note = createNotes(io)
  const signal = io.signal ? AbortSignal.any([io.signal, output.closed]) : output.closed
  const { after, rewind } = values
  try {
    for await (const item of subscribe({
      url,
      channels,
      after,
      rewind,
      token,
      signal,
      onState: note.state,
    })) {
      if (item.type === 'event') await output.write(print(item))
      else note.item(item)
    }
    return note.refused() ? EXIT.failed : EXIT.ok
  } catch (error) {
    return explain(io, url, error, channels.map((channel) => `${channel}=subscribe`).join(' '))
  }
}

/** The JSON of a long poll's event, its data as it was sent. */
function envelope(event: EventItem): string {
  const { id, channel, name, sender, time } = event
  const head = JSON.stringify({ id, name, channel }).slice(0, -1)
  const rest = JSON.stringify({ sender, time }).slice(1)
  return `${head},"data":${event.json},${rest}\n`
}

function bareText(event: EventItem): string {
  return typeof event.data === 'string' ? event.data : ''
}

/** `12:03:45.123  chat:7  token  {"text":"Hel"}`; the channel where there are several. */
function line(event: EventItem, style: Style, width: number): string {
  const time = new Date(event.time)
  const ms = String(time.getMilliseconds()).padStart(3, '0')
  const parts = [style.dim(`${time.toTimeString().slice(0, 8)}.${ms}`)]
  // Padded before it is coloured: escape sequences have a length, but no width.
  if (width > 0) parts.push(style.tint(event.channel.padEnd(width)))
  if (event.name !== 'message') parts.push(style.bold(harmless(event.name)))
  parts.push(readableData(event))
  return `${parts.join('  ')}\n`
}

/** A text without quotes, unless they are needed to see where it begins and ends. */
function readableData({ data, json }: EventItem): string {
  const simple = typeof data === 'string' && data !== '' && data.trim() === data
  if (simple && harmless(data) === data) return data
  return harmless(json)
}

/** What is told beside the events, on stderr: once for each outage, not for each try. */
function createNotes(io: Io) {
  const style = styleFor(io.stderr, io.env)
  let lost = false
  let refused = false
  const say = (text: string) => io.stderr.write(`${style.dim('—')} ${harmless(text)}\n`)
  return {
    state(state: State) {
      if (state.state === 'waiting' && !lost) {
        lost = true
        say(`connection lost: ${state.reason}; trying again`)
      } else if (state.state === 'open' && lost) {
        lost = false
        say('connected again')
      }
    },
    item(item: Exclude<Item, EventItem>) {
      if (item.type === 'gap') {
        const { channel, reason, after, next } = item
        const from = after === null ? `before ${next}` : `between ${after} and ${next}`
        say(`gap on ${channel}: events ${from} may be missing (${reason})`)
      } else if (item.type === 'end') {
        say(`${item.channel} has ended${item.reason === null ? '' : `: ${item.reason}`}`)
      } else if (item.type === 'expiring') {
        say(`the token ends at ${new Date(item.expires).toTimeString().slice(0, 8)}`)
      } else if (item.type === 'bye') {
        refused = !item.reconnect
        say(`the gateway ends the stream: ${item.reason}`)
      }
    },
    refused: () => refused,
  }
}
