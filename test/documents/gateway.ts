/** A gateway's half that keeps documents on Redis: a log, and the store beside it, without HTTP. */
import type { Test } from 'tap'
import type { Documents } from '../../src/documents/documents.js'
import { createRedisDocuments } from '../../src/documents/redis.js'
import { createRedisLog, type RedisLog } from '../../src/log/redis.js'
import { createRecorder, type Recorder, retentionFor } from '../log/subject.js'

export interface DocumentsGateway {
  readonly log: RedisLog
  readonly documents: Documents
  readonly heard: Recorder
}

export interface DocumentsGatewayOptions {
  readonly url: string
  readonly prefix?: string
  readonly partitions?: number
}

/** Stopped with the test. */
export async function startGateway(
  t: Pick<Test, 'teardown'>,
  { url, prefix, partitions }: DocumentsGatewayOptions,
): Promise<DocumentsGateway> {
  const log = createRedisLog({
    ...{ url, retentionFor },
    ...(prefix !== undefined && { prefix }),
    ...(partitions !== undefined && { partitions }),
  })
  const heard = createRecorder()
  await log.start(heard)
  t.teardown(() => log.stop())
  return { log, documents: createRedisDocuments(log.intake), heard }
}
