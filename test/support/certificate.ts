import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Certificate {
  /** Path of the certificate. */
  readonly cert: string
  /** Path of its key. */
  readonly key: string
  /** The certificate itself, for a client that is to trust it. */
  readonly pem: string
}

/** A self-signed certificate for 127.0.0.1 and localhost, in `directory`. */
export async function certificate(directory: string): Promise<Certificate> {
  const cert = join(directory, 'cert.pem')
  const key = join(directory, 'key.pem')
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ])
  return { cert, key, pem: await readFile(cert, 'utf8') }
}
