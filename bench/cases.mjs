// What is measured, against whom, and what is to be reached. A case has sides, which are run in turn, and
// rows, which compare a figure of ours with the best of the peers'.
import * as servers from './servers.mjs'
import { descriptorLimit, load } from './tools.mjs'

const using = (start, measure) => async (context) => {
  const server = await start()
  try {
    return await measure(server, (options) => {
      return load({ port: server.port, spid: server.pids, ...options }, context.signal)
    })
  } finally {
    await server.stop()
  }
}

/** Publishing to open streams: a short run to warm the server, then the one that counts. */
const live = (start, options, { warm = 1, urls = (server) => server.live } = {}) =>
  using(start, async (server, run) => {
    if (warm) await run({ ...urls(server), ...options, secs: warm })
    return run({ ...urls(server), ...options })
  })

/** Subscribing as usual, publishing in batches. */
const batched = (server) => ({ sub: server.live.sub, ...server.batches })

export function allCases({ quick = false } = {}) {
  const secs = quick ? 1 : 3
  const warm = quick ? 0.5 : 1

  const fanout = { n: 1_000, c: 1, pc: 16, win: 100, secs }
  const fanout64 = { n: 1_000, c: 1, pc: 64, win: 200, secs }
  const steady = { n: 1_000, c: 1, pc: 4, rate: 50, secs: quick ? 2 : 5 }
  const many = { n: 1_000, c: 1_000, pc: 64, secs }
  const floorRun = { n: 1_000, c: 1, pc: 16, win: 100, k: quick ? 800 : 1_600 }

  return [
    {
      id: 'A',
      sides: {
        nchan: live(servers.nchan, fanout, { warm }),
        ours: live(servers.sluice, fanout, { warm }),
      },
      rows: [
        row('A', 'fan-out, 1 channel × 1,000 streams, 16 publishers', 'rate', 'nchan', atLeast(4)),
      ],
      notes: ({ nchan, ours }) => [
        `CPU seconds per million deliveries: nchan ${nchan.cpuPerMillion}, ours ${ours.cpuPerMillion}`,
        clientUse(ours),
      ],
    },
    {
      id: 'A64',
      sides: {
        nchan: live(servers.nchan, fanout64, { warm }),
        ours: live(servers.sluice, fanout64, { warm }),
      },
      rows: [
        row('A64', 'the same, 64 publishers, 200 events in flight', 'rate', 'nchan', atLeast(12)),
      ],
      notes: ({ ours }) => [clientUse(ours)],
    },
    {
      id: 'AR',
      sides: {
        memory: live(servers.sluice, fanout, { warm }),
        ours: live(servers.sluiceOnRedis, fanout, { warm }),
      },
      rows: [row('AR', 'A through Redis, to our own A without', 'rate', 'memory', atLeast(0.6))],
      notes: () => ['redis-server runs on the core of the load client, not on that of the server'],
    },
    {
      id: 'AT',
      sides: {
        open: live(servers.sluice, fanout, { warm }),
        ours: live(servers.lockedSluice, fanout, { warm }),
      },
      rows: [row('AT', 'A with a token on every request, to open', 'rate', 'open', atLeast(0.95))],
      notes: ({ ours }) => [clientUse(ours)],
    },
    {
      id: 'B',
      sides: {
        nchan: live(servers.nchan, steady, { warm }),
        ours: live(servers.sluice, steady, { warm }),
      },
      rows: [
        row('B p50', '50 events/s × 1,000 streams, latency', 'p50', 'nchan', atMost(1.2)),
        row('B p99', '50 events/s × 1,000 streams, latency', 'p99', 'nchan', atMost(1.2)),
      ],
    },
    {
      id: 'D',
      sides: {
        nchan: live(servers.nchan, many, { warm }),
        ours: live(servers.sluice, many, { warm }),
      },
      rows: [
        row('D', '1,000 channels × 1 stream, a POST for each event', 'rate', 'nchan', atLeast(0.6)),
      ],
    },
    {
      id: 'DT',
      sides: {
        open: live(servers.sluice, many, { warm }),
        ours: live(servers.lockedSluice, many, { warm }),
      },
      rows: [row('DT', 'D with a token on every request, to open', 'rate', 'open', atLeast(0.85))],
    },
    {
      id: 'D50',
      sides: {
        nchan: live(servers.nchan, many, { warm }),
        ours: live(servers.sluice, { ...many, pbatch: 50 }, { warm, urls: batched }),
      },
      rows: [row('D50', 'the same, 50 events a POST, to single ones', 'rate', 'nchan', atLeast(2))],
      notes: ({ ours }) => [clientUse(ours)],
    },
    {
      id: 'E',
      sides: {
        nchan: replay(servers.nchan, { quick }),
        'better-sse': replay(servers.betterSse, { quick }),
        '@fastify/sse': replay(servers.fastifySse, { quick }),
        ours: replay(servers.sluice, { quick }),
      },
      rows: [
        row('E1', 'replay of 10,000 events to 1 reader, events/s', 'one', 'nchan', atLeast(10)),
        row('E1', 'the same, to the best library', 'one', LIBRARIES, atLeast(10)),
        row('E200', 'replay to 200 readers at once, events/s', 'many', 'nchan', atLeast(6)),
        row('E200', 'the same, to the best library', 'many', LIBRARIES, atLeast(6)),
      ],
    },
    {
      id: 'C',
      sides: { nchan: idle(servers.nchan, { quick }), ours: idle(servers.sluice, { quick }) },
      rows: [row('C', 'memory of an idle stream, KB', 'rssPerStream', 'nchan', atMost(1))],
      notes: ({ nchan, ours }) => [
        `${ours.n} streams; opened per second: nchan ${nchan.openRate}, ours ${ours.openRate}`,
      ],
    },
    {
      id: 'S',
      sides: { 'no readers': stalled({ quick, readers: 0 }), ours: stalled({ quick }) },
      rows: [
        {
          ...row('S', 'memory of readers that stopped reading, MB', 'rssMb', 'no readers', {
            text: '+ < 50 MB',
            best: Math.min,
            met: (growth) => growth < 50,
          }),
          compare: 'difference',
        },
      ],
      notes: ({ ours, 'no readers': none }) => [
        `${ours.n} readers × ${ours.sent} events, then all read on: ${ours.incomplete} incomplete, ` +
          `${ours.disordered} out of order, ${ours.drainSecs} s, ${ours.rate} events/s`,
        `highest while publishing ${mb(ours.rssPeak)} MB (without readers ${mb(none.rssPeak)}), ` +
          `while they read on ${mb(ours.rssDrainPeak)} MB`,
      ],
    },
    {
      id: 'floor',
      onDemand: true, // it says something about the machine, nothing about us
      sides: {
        'a write each': live(servers.floor(1), floorRun, { warm: 0 }),
        ours: live(servers.floor(16), floorRun, { warm: 0 }),
      },
      rows: [
        row('floor', 'C: a write per event | 16 events a write', 'rate', 'a write each', {
          text: '',
          best: Math.max,
          met: () => true,
        }),
      ],
      notes: ({ ours }) => [clientUse(ours)],
    },
  ]
}

const LIBRARIES = ['better-sse', '@fastify/sse']

const atLeast = (ratio) => ({ text: `≥ ${ratio}`, best: Math.max, met: (value) => value >= ratio })
const atMost = (ratio) => ({ text: `≤ ${ratio}`, best: Math.min, met: (value) => value <= ratio })

function row(id, what, figure, peers, target) {
  return { id, what, figure, peers: [peers].flat(), target, compare: 'ratio' }
}

const mb = (kb) => (kb / 1024).toFixed(0)

// A client that has no time left measures itself: the server could do more than is shown.
const clientUse = ({ clientUse: share }) =>
  share > 0.9
    ? `the load client is at its limit (${Math.round(share * 100)} % of its core): ours may be faster`
    : ''

function replay(start, { quick }) {
  const events = 10_000
  return using(start, async (server, run) => {
    const stored = await run({ ...server.live, n: 0, k: events, pc: 16 })
    const past = { ...server.past, replay: events }
    await run({ ...past, n: 1, secs: quick ? 0.5 : 1 })
    const one = await run({ ...past, n: 1, secs: quick ? 1 : 2 })
    const many = await run({ ...past, n: 200, secs: quick ? 0 : 1, timeout: 30 })
    const sum = (field) => (one[field] ?? 0) + (many[field] ?? 0)
    return {
      one: one.rate,
      many: many.rate,
      lost: sum('lost'),
      dead: sum('dead'),
      refused: stored.refused,
    }
  })
}

function idle(start, { quick }) {
  const streams = Math.min(quick ? 2_000 : 10_000, descriptorLimit() - 500)
  return using(start, async (server, run) => {
    // Code that has run once is compiled and in memory; it isn't to be counted as the streams'.
    await run({ ...server.live, n: 100, idle: true, hold: 0.5 })
    return run({ ...server.live, n: streams, idle: true, hold: quick ? 2 : 5, srcs: 8 })
  })
}

function stalled({ quick, readers = quick ? 200 : 1_000 }) {
  const events = quick ? 20_000 : 100_000
  const start = () => servers.sluice({ SLUICE_RETENTION_EVENTS: '200000' })
  return using(start, async (server, run) => {
    await run({ ...batched(server), n: 10, k: 2_000, pbatch: 100 })
    // Small receive buffers, so that a reader is stuck after a few events and not after 500.
    const figures = await run({
      ...batched(server),
      n: readers,
      k: events,
      pbatch: 100,
      stall: true,
      verify: true,
      rcvbuf: 16_384,
      hold: 2,
      timeout: 90,
    })
    return { ...figures, rssMb: figures.rssStalled / 1024 }
  })
}
