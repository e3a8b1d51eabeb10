/** The gateway of docs/security.md, started with the settings that the page says. */
import type { Test } from 'tap'
import { open, type Stream } from '../../routes/support/stream.js'
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway.js'
import { codeIn, readChapter, settingsOf } from '../../support/page.js'

export const PAGE = 'security.md'

export interface Locked {
  readonly gateway: GatewayProcess
  readonly key: string
  readonly secret: string
  /** What a backend knows. */
  readonly env: { readonly SLUICE_URL: string; readonly SLUICE_API_KEY: string }
}

/** `settings`: beside those of the page, or instead of them. */
export async function startLocked(
  t: Test,
  settings: Readonly<Record<string, string>> = {},
): Promise<Locked> {
  const [script] = codeIn(readChapter(PAGE, 'A locked gateway'), 'sh')
  const env = { ...(await settingsOf(script!)), ...settings }
  const gateway = await startGatewayProcess(env)
  t.teardown(gateway.stop)
  const { SLUICE_API_KEY: key = '', SLUICE_JWT_SECRET: secret = '' } = env
  return { gateway, key, secret, env: { SLUICE_URL: gateway.url, SLUICE_API_KEY: key } }
}

/** A stream by a ticket, as an EventSource on a page of this origin opens it; ready to read. */
export async function openByTicket(
  t: Test,
  url: string,
  ticket: string,
  origin = 'https://app.example',
): Promise<Stream> {
  const stream = await open(`${url}/v1/events?ticket=${ticket}`, { headers: { origin } })
  t.teardown(stream.close)
  await stream.event('stream.live')
  return stream
}
