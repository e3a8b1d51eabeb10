/** The gateway as a server of its own. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import fastify from 'fastify'
import { type Config, isLocked, isLoopback } from './config.js'
import { type GatewayInternals, gatewayPlugin } from './gateway.js'
import { type Logger, silentLogger } from './logger.js'
import { registerBrowsers } from './plugins/browsers.js'
import { registerHeaders } from './plugins/headers.js'
import { defaultHosts, registerHosts, registerLocalOnly } from './plugins/hosts.js'
import { boundRest, sendNotFound, sendProblem, toSluiceError } from './plugins/problems.js'
import { DEMO_CHANNELS, sitePlugin } from './site/site.js'
import { SluiceError } from './wire/errors.js'
import { noSiblings, type Siblings } from './workers/siblings.js'

/** How often it is looked at whether heads have come in time; Node's default of 30 s would leave slow senders that long. */
const HEADERS_CHECK_MS = 1_000
/** Longer than proxies keep an idle upstream connection (nginx: 60 s): who closes first decides who loses a request. */
const KEEP_ALIVE_MS = 75_000
/** Bytes that may wait in one socket before its stream is called slow. */
const SOCKET_MARK = 64 * 1024
/** Milliseconds that the start and the end of a part may take, beside the drain. */
const PLUGIN_MS = 15_000
/** Milliseconds that a shutdown leaves to answers on their way, and how often it looks. */
const LAST_WORDS_MS = 300
const LAST_WORDS_LOOK_MS = 20

export interface Gateway {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly url: string
  /** Says goodbye to all streams, finishes what is under way, closes everything. */
  close(): Promise<void>
}

interface ServerOptions {
  /** Default: silent. */
  readonly logger?: Logger
  readonly internals?: GatewayInternals
  /** The other workers under the same port. Default: there are none. */
  readonly siblings?: Siblings
  /** Another worker has said already how Redis is set. Default false. */
  readonly settingsTold?: boolean
}

/** Starts a gateway. Rejects where it can't listen or its log can't be used. */
export async function startGateway(config: Config, options: ServerOptions = {}): Promise<Gateway> {
  const { logger = silentLogger, internals = {} } = options
  const { siblings = noSiblings, settingsTold = false } = options
  const app = fastify({
    logger: false,
    // Bodies have their own limits, by what they are.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // 0: it would kill an upload that still flows. Bodies have their own clocks.
    requestTimeout: 0,
    forceCloseConnections: true,
    // Fastify gives up on hooks that take longer, and a drain is one.
    pluginTimeout: config.drainMs + PLUGIN_MS,
    // Who comes while the gateway shuts down is told so in the gateway's own words.
    return503OnClosing: false,
    // Ids have rules of their own; the router would refuse from 101 characters on, in words that help nobody.
    routerOptions: { maxParamLength: config.maxUrlLength },
    rewriteUrl: originForm,
    // Whose word counts for where a request comes from; false: nobody's.
    trustProxy: config.trustedProxies.length > 0 && [...config.trustedProxies],
    // What the router itself refuses.
    frameworkErrors: (error, _request, reply) =>
      void sendProblem(reply, toSluiceError(error, logger)),
    http: {
      headersTimeout: config.headMs,
      connectionsCheckingInterval: Math.min(HEADERS_CHECK_MS, config.headMs),
      highWaterMark: SOCKET_MARK,
      maxHeaderSize: config.maxHeadBytes,
      // Node would refuse in words of its own.
      requireHostHeader: false,
    },
    clientErrorHandler,
  })
  registerHeaders(app)
  app.addHook('onRequest', (request, _reply, next) => {
    const { httpVersion, headers, url = '' } = request.raw
    // RFC 9112 § 3.2.
    const nameless = httpVersion === '1.1' && headers.host === undefined
    if (nameless) next(new SluiceError('request_invalid', { detail: 'Host is missing' }))
    else if (url.length > config.maxUrlLength) next(new SluiceError('url_too_long'))
    else next()
  })
  if (!isLocked(config)) registerLocalOnly(app, config.trustedProxies.length > 0)
  registerHosts(app, config.allowedHosts ?? defaultHosts(config, !isLoopback(config.host)))
  // An answer may leave before the body has come: a preflight's, a GET's, a DELETE's whose body is none.
  // Whoever dripped the rest would hold the connection for ever, for no other clock looks at it.
  app.addHook('onResponse', (request, _reply, next) => {
    boundRest(request.raw)
    next()
  })
  // Each poll that waits listens for the end of its connection, and a client may pipeline many.
  app.server.on('connection', (socket) => socket.setMaxListeners(0))
  // Node answers all expectations but one itself: 417, without a word. RFC 9110 § 10.1.1 lets us ignore them.
  app.server.on('checkExpectation', (request, response) => {
    app.server.emit('request', request, response)
  })
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, toSluiceError(error, logger)))
  await registerBrowsers(app, config.corsOrigins)
  const demos = config.pages && !isLocked(config)
  // Before the gateway, whose drain waits for what the demo's model is saying: it is hurried first.
  if (config.pages) await app.register(sitePlugin, { demos })
  await app.register(gatewayPlugin, {
    config: demos ? { ...config, channels: [...config.channels, ...DEMO_CHANNELS] } : config,
    ...{ logger, internals, siblings, settingsTold },
  })
  // A scope of its own, after the gateway's: hooks of the root come before those of its scopes, so
  // that the goodbyes would be waited for before they are said.
  await app.register(async (rest) => {
    rest.setNotFoundHandler(sendNotFound)
    rest.addHook('preClose', () => lastWords(app.server))
  })
  const url = await app.listen({ host: config.host, port: config.port, backlog: 4096 })
  return { url, close: () => app.close() }
}

/**
 * `GET http://name/path`: the name in it counts, whatever the Host header says (RFC 9112 § 3.2.2). Else a
 * request would be let in by one name and meant for another.
 */
function originForm({ url = '/', headers }: IncomingMessage): string {
  const [, host, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url) ?? []
  if (host === undefined) return url
  headers.host = host
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * Lets answers that were just given leave. Not longer: connections that never sent a request (browsers
 * open such in advance) have nothing to wait for.
 */
async function lastWords(server: Server): Promise<void> {
  const deadline = Date.now() + LAST_WORDS_MS
  const connections = promisify(server.getConnections.bind(server))
  for (;;) {
    server.closeIdleConnections()
    if (Date.now() >= deadline || (await connections()) === 0) return
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_LOOK_MS))
  }
}

/** Requests that Node can't read get the same kind of answer as all others. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  // An answer may be due on this connection, or under way: what is written here would be taken for it.
  const busy = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage
  if (busy && (busy.headersSent || busy.req.complete)) {
    socket.destroy()
    return
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const problem = new SluiceError(late ? 'body_timeout' : 'request_invalid')
  const body = JSON.stringify(problem.toProblem())
  socket.end(
    `HTTP/1.1 ${problem.status} ${late ? 'Request Timeout' : 'Bad Request'}\r\n` +
      'Connection: close\r\nContent-Type: application/problem+json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
