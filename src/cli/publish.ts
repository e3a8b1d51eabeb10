/** `sluice publish`: one event, or a stream of them. */
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { gatewayError, resourceUrl } from '../client/gateway.js'
import { publish } from '../client/index.js'
import { bearer } from '../client/token.js'
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js'
import { gatewayToken, TOKEN_FLAG } from './credentials.js'
import { createOutput, explain, gatewayUrl } from './output.js'
import { styleFor } from './style.js'
import { lines, words } from './words.js'

const flags = [
  { flag: 'lines', help: 'each line of the input is an event, sent as it comes' },
  { flag: 'words', help: 'each word is an event, paced like speech; white space is kept' },
  { flag: 'pace', takes: 'number', help: 'words per minute, with --words; 0 = no pauses [1200]' },
  { flag: 'json', help: 'the data is JSON, not text' },
  { flag: 'name', takes: 'name', help: 'name of the event [message]' },
  { flag: 'key', takes: 'key', help: 'idempotency key: the same event again is not a second one' },
  { flag: 'ephemeral', help: 'for who is reading now only: not stored' },
  { flag: 'url', takes: 'url', help: 'the gateway [SLUICE_URL, or http://127.0.0.1:8080]' },
  TOKEN_FLAG,
] as const

export const publishCommand: Command = {
  name: 'publish',
  summary: 'send an event, or a stream of them',
  usage: 'publish <channel> [data] [options]',
  about:
    'Sends data to a channel, as text; without data, what comes on stdin, as one event.\n' +
    'Prints the id of the event, or of the last one.',
  flags,
  examples: [
    "sluice publish chat:7 'Hello'",
    'sluice publish chat:7 --json \'{"text":"Hello"}\' --name greeting',
    'tail -f app.log | sluice publish logs:app --lines',
    'fortune | sluice publish story --words',
  ],
  run,
}

interface Values {
  readonly lines?: boolean
  readonly words?: boolean
  readonly pace?: string
  readonly json?: boolean
  readonly name?: string
  readonly key?: string
  readonly ephemeral?: boolean
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
  const [channel, data, ...more] = parsed.positionals
  if (channel === undefined) throw new UsageError('name the channel: sluice publish <channel>')
  if (more.length > 0) throw new UsageError('data of several words goes in quotes')
  if (values.lines && values.words) throw new UsageError('choose --lines or --words')
  if (values.words && values.json) throw new UsageError('--words are text; leave out --json')
  const url = gatewayUrl(values.url, io.env)
  if (!URL.canParse(url)) throw new UsageError(`${JSON.stringify(url)} is not a URL`)
  const token = gatewayToken(values.token, io.env)
  if (data === undefined && io.stdin.isTTY) {
    io.stderr.write(styleFor(io.stderr, io.env).dim('Write, then end with Ctrl-D.\n'))
  }

  if (values.lines || values.words) {
    const input = data === undefined ? io.stdin : toChunks(data)
    const items = values.words ? paced(words(input), readPace(values.pace)) : lines(input)
    return stream(url, channel, toJson(items, values.json === true), { ...values, token }, io)
  }
  const whole = data ?? (await text(io.stdin))
  if (values.json) checkJson(whole)
  const { name, key, ephemeral } = values
  try {
    const receipt = await publish({
      url,
      channel,
      ...(values.json ? { json: whole } : { data: whole }),
      name,
      key,
      ephemeral,
      token,
      signal: io.signal,
    })
    if (receipt.id !== undefined) await createOutput(io.stdout).write(`${receipt.id}\n`)
    return EXIT.ok
  } catch (error) {
    return explain(io, url, error, `${channel}=publish`)
  }
}

async function* toChunks(data: string) {
  yield data
}

function readPace(text: string | undefined): number {
  const pace = Number(text ?? 1200)
  if (pace >= 0 && Number.isFinite(pace) && text !== '') return pace
  throw new UsageError('--pace is a number of words per minute')
}

/** Gives the items out no faster than `pace` a minute. */
async function* paced(items: AsyncIterable<string>, pace: number): AsyncGenerator<string> {
  const step = pace === 0 ? 0 : 60_000 / pace
  let due = 0
  for await (const item of items) {
    const now = performance.now()
    if (due > now) await wait(due - now)
    // Counted from when it was due, so that the timer's lateness doesn't add up.
    due = Math.max(due, now) + step
    yield item
  }
}

/** Each item as one line of NDJSON. */
async function* toJson(items: AsyncIterable<string>, isJson: boolean): AsyncGenerator<string> {
  for await (const item of items) {
    if (!isJson) yield `${JSON.stringify(item)}\n`
    else if (item.trim() !== '') yield `${checkJson(item)}\n`
  }
}

function checkJson(text: string): string {
  try {
    JSON.parse(text)
    return text
  } catch (error) {
    throw new UsageError(`this is not JSON: ${(error as Error).message}`)
  }
}

/** One request for all items, each sent the moment it is there. */
async function stream(
  url: string,
  channel: string,
  items: AsyncIterable<string>,
  { name, key, ephemeral, token }: Omit<Values, 'token'> & { readonly token: string | undefined },
  io: Io,
): Promise<number> {
  const address = resourceUrl(url, '/v1/events')
  address.searchParams.set('channel', channel)
  if (name !== undefined) address.searchParams.set('name', name)
  if (ephemeral) address.searchParams.set('ephemeral', 'true')
  // An input that can't be read is this side's fault; fetch would call it a network error.
  let fault: unknown
  async function* body() {
    try {
      for await (const item of items) yield Buffer.from(item)
    } catch (error) {
      fault = error
      throw error
    }
  }
  try {
    const init: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: {
        'content-type': 'application/x-ndjson',
        ...(key !== undefined && { 'idempotency-key': key }),
        ...(token !== undefined && { authorization: bearer(token) }),
      },
      body: Readable.toWeb(Readable.from(body())) as ReadableStream,
      duplex: 'half',
      ...(io.signal && { signal: io.signal }),
    }
    const response = await fetch(address, init)
    if (!response.ok) throw await gatewayError(response)
    const last = lastId(await response.text())
    if (last !== undefined) await createOutput(io.stdout).write(`${last}\n`)
    return EXIT.ok
  } catch (error) {
    if (fault instanceof UsageError) throw fault
    return explain(io, url, error, `${channel}=publish`)
  }
}

function lastId(answer: string): string | undefined {
  if (answer === '') return undefined
  const { last, id } = JSON.parse(answer) as { last?: unknown; id?: unknown }
  const found = last ?? id
  return typeof found === 'string' ? found : undefined
}
