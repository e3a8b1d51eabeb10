/** Redis behind TLS and a password, as an operator has it: by the URL and Node's own list of authorities. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { certificate } from '../../support/certificate.js'
import { startGatewayProcess } from '../../support/gateway.js'
import { freePort } from '../../support/ports.js'
import { startRedis } from '../../support/redis.js'
import { ask } from '../../support/redis-ask.js'
import { until } from '../../support/until.js'

t.test(
  'a server and a cluster that speak TLS are used where their certificate is trusted',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'tls-'))
    t.teardown(() => rm(dir, { recursive: true }))
    const { cert, key } = await certificate(dir)
    const [alone, clustered] = [await freePort(), await freePort()]
    const tls = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
    const start = (...args: string[]) =>
      startRedis({ args: [...tls, '--tls-auth-clients', 'no', '--save', '', ...args] })
    const one = await start('--tls-port', String(alone))
    t.teardown(() => one.stop())
    const bus = await freePort()
    const node = await start(
      ...['--tls-port', String(clustered), '--tls-cluster', 'yes', '--cluster-enabled', 'yes'],
      ...['--cluster-port', String(bus)],
    )
    t.teardown(() => node.stop())
    await ask(node.port, ['CLUSTER', 'ADDSLOTSRANGE', 0, 16_383])
    await until('well', async () =>
      String(await ask(node.port, ['CLUSTER', 'INFO'])).includes('cluster_state:ok'),
    )
    for (const { port } of [one, node]) {
      await ask(port, ['ACL', 'SETUSER', 'gate', 'on', '>p@ss,w', '~*', '&*', '+@all'])
    }
    const trusted = { NODE_EXTRA_CA_CERTS: cert }
    for (const port of [alone, clustered]) {
      const url = `rediss://gate:p%40ss%2Cw@localhost:${port}`
      const gateway = await startGatewayProcess({ ...trusted, SLUICE_REDIS_URL: url })
      t.teardown(() => gateway.stop())
      const body = JSON.stringify({ channel: 'a', data: 1 })
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${gateway.url}/v1/events`, { method: 'POST', headers, body })
      t.equal(answer.status, 201)
      await gateway.stop()
    }
    const url = `rediss://gate:p%40ss%2Cw@localhost:${alone}`
    const stranger = startGatewayProcess({ SLUICE_REDIS_URL: url })
    await t.rejects(stranger, { message: /self-signed certificate/ })
    await t.rejects(
      stranger,
      { message: /^(?:(?!p@ss|p%40ss)(?:\s|\S))*$/ },
      'and no password in it',
    )
  },
)
