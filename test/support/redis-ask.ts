/**
 * One question to one Redis process over a connection of its own. The client library that the gateway
 * uses would hide what tests are about: it waits, retries and sends again.
 */
import { createConnection } from 'node:net'

export type Answer = string | number | null | readonly Answer[]

/** Resolves with the answer (RESP2); rejects at an error, a refusal, or after `timeout` ms of silence. */
export function ask(
  port: number,
  command: readonly (string | number)[],
  timeout = 5_000,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1')
    const said: Buffer[] = []
    const end = (): void => {
      clearTimeout(timer)
      socket.destroy()
    }
    const fail = (error: Error): void => {
      end()
      reject(error)
    }
    const timer = setTimeout(
      () => fail(new Error(`port ${port}: no answer to ${command}`)),
      timeout,
    )
    socket.on('error', fail)
    socket.on('close', () => fail(new Error(`port ${port}: hung up at ${command}`)))
    socket.on('data', (chunk) => {
      said.push(chunk)
      const parsed = parse(Buffer.concat(said), 0)
      if (parsed === undefined) return
      end()
      if (parsed.value instanceof Error) reject(parsed.value)
      else resolve(parsed.value)
    })
    const words = command.map(String)
    const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
    socket.write(`*${words.length}\r\n${bulks.join('')}`)
  })
}

/** `ask` for an answer that is text. */
export async function askText(
  port: number,
  command: readonly (string | number)[],
  timeout?: number,
): Promise<string> {
  return String(await ask(port, command, timeout))
}

/** `name:value` lines, as INFO and CLUSTER INFO give them. */
export function fields(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'))
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

/** Undefined where the answer isn't whole yet. */
function parse(from: Buffer, at: number): { value: Answer | Error; next: number } | undefined {
  const end = from.indexOf('\r\n', at)
  if (end === -1) return undefined
  const line = from.toString('utf8', at + 1, end)
  const next = end + 2
  switch (String.fromCharCode(from[at]!)) {
    case '+':
      return { value: line, next }
    case '-':
      return { value: new Error(line), next }
    case ':':
      return { value: Number(line), next }
    case '$': {
      const length = Number(line)
      if (length < 0) return { value: null, next }
      if (from.length < next + length + 2) return undefined
      return { value: from.toString('utf8', next, next + length), next: next + length + 2 }
    }
    default: {
      const list: Answer[] = []
      let place = next
      for (let i = 0; i < Number(line); i++) {
        const item = parse(from, place)
        if (item === undefined) return undefined
        list.push(item.value instanceof Error ? item.value.message : item.value)
        place = item.next
      }
      return { value: list, next: place }
    }
  }
}
