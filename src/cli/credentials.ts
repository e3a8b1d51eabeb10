/** Who a command says it is, and what to do where that wasn't enough. */
import { bearer } from '../client/token.js'
import type { ErrorCode } from '../wire/errors.js'
import { type Io, UsageError } from './command.js'

export const TOKEN_FLAG = {
  flag: 'token',
  takes: 'token',
  help: 'a token or an API key; rather in SLUICE_TOKEN, for a flag shows in `ps` and the history',
} as const

/** --token or SLUICE_TOKEN; undefined: the command goes as nobody. */
export function gatewayToken(flag: string | undefined, env: Io['env']): string | undefined {
  // An empty flag is a variable that wasn't set: nobody means to go as nobody that way.
  const token = flag ?? (env.SLUICE_TOKEN || undefined)
  if (token === undefined) return undefined
  try {
    bearer(token)
  } catch (error) {
    const source = flag === undefined ? 'SLUICE_TOKEN' : '--token'
    throw new UsageError(`${source}: ${(error as Error).message}`)
  }
  return token
}

/** What to do about a refusal; undefined where the gateway has said it. `grants`: rights that would do. */
export function wayIn(code: ErrorCode, grants: string): string | undefined {
  const mint = `For development: export SLUICE_TOKEN=$(sluice token --channels '${grants}')`
  switch (code) {
    case 'token_missing':
      return `Put a token or an API key into SLUICE_TOKEN. ${mint}`
    case 'token_invalid':
    case 'token_expired':
      return `Put another one into SLUICE_TOKEN. ${mint}`
    case 'forbidden':
      return `Put one that grants it into SLUICE_TOKEN. ${mint}`
    case 'token_revoked':
      return 'Come as somebody else, or have it taken back by DELETE /v1/revocations.'
    default:
      return undefined
  }
}
