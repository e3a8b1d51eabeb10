/**
 * docs/security.md, "Next.js", "Django" and "Rails": what the page shows, as files of an application
 * that has a login (a cookie says whose) and a place that publishes, `/say`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { ask } from '../routes/support/ask.js'
import { filesIn, layOut, readChapter } from '../support/page.js'
import { openByTicket, PAGE, startLocked } from './support/locked.js'
import { startProgram } from './support/program.js'

interface Backend {
  readonly url: string
  /** The cookie of somebody who is logged in. */
  readonly cookie: string
  /** Their id. */
  readonly user: string
}
type Env = Readonly<Record<string, string>>

/** Its route handlers are functions from Request to Response: no Next.js is needed to run them. */
async function startNext(t: Test, env: Env): Promise<Backend> {
  const directory = await layOut(t, {
    ...filesIn(readChapter(PAGE, 'Next.js')),
    'lib/auth.js': `export const getUser = async (request) =>
      request.headers.get('cookie') === 'login=7' ? { id: '7' } : null`,
  })
  const load = (file: string) => import(pathToFileURL(join(directory, file)).href)
  const { GET } = await load('app/sluice-ticket/route.js')
  const { publish } = await load('lib/sluice.js')
  Object.assign(process.env, env)
  t.teardown(() => {
    for (const name of Object.keys(env)) delete process.env[name]
  })
  const say = async () => Response.json(await publish('chat:7', { text: 'Hello' }))
  const server = createServer(async ({ url, headers }, response) => {
    const request = new Request(`http://app.example${url}`, { headers: headers as Env })
    // What throws is 500 there, too.
    const answered = (url === '/say' ? say() : GET(request)) as Promise<Response>
    const answer = await answered.catch(() => new Response(null, { status: 500 }))
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    response.end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, cookie: 'login=7', user: '7' }
}

const DJANGO = `
import django
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="site_urls", SECRET_KEY="x" * 50, USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
)
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.test import Client
from wsgiref.simple_server import make_server
call_command("migrate", verbosity=0)
user = get_user_model().objects.create_user("alice")
client = Client()
client.force_login(user)
server = make_server("127.0.0.1", 0, get_wsgi_application())
print(server.server_port, "sessionid=" + client.cookies["sessionid"].value, user.pk, flush=True)
server.serve_forever()
`

async function startDjango(t: Test, env: Env): Promise<Backend> {
  const cwd = await layOut(t, {
    ...filesIn(readChapter(PAGE, 'Django')),
    'site_urls.py': `
from django.http import JsonResponse
from django.urls import path
from sluice import publish
from urls import urlpatterns
say = lambda request: JsonResponse(publish("chat:7", {"text": "Hello"}))
urlpatterns = [*urlpatterns, path("say", say)]
`,
    'run.py': DJANGO,
  })
  // Debian's Python: it has Debian's modules.
  const said = await startProgram(t, { command: ['/usr/bin/python3', 'run.py'], cwd, env })
  const [port, cookie = '', user = ''] = said.split(' ')
  return { url: `http://127.0.0.1:${port}`, cookie, user }
}

// Not by a handler of Rack's, which is another package in each version.
const RAILS = `
require "action_controller/railtie"
require "webrick"
class Example < Rails::Application
  config.root = __dir__
  config.eager_load = true
  config.secret_key_base = "x" * 64
  config.logger = Logger.new(IO::NULL)
end
Example.routes.append { get "say", to: "says#show" }
Example.initialize!
silent = WEBrick::Log.new(IO::NULL)
server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: 0, AccessLog: [], Logger: silent)
server.mount_proc("/") do |request, response|
  env = Rack::MockRequest.env_for(request.request_uri.to_s, "HTTP_COOKIE" => request["Cookie"].to_s)
  response.status, headers, body = Example.call(env)
  headers.each { |name, value| response[name] = value }
  response.body = body.each.to_a.join
end
puts server.listeners.first.addr[1]
$stdout.flush
server.start
`

async function startRails(t: Test, env: Env): Promise<Backend> {
  const cwd = await layOut(t, {
    ...filesIn(readChapter(PAGE, 'Rails')),
    'app/controllers/application_controller.rb': `
class ApplicationController < ActionController::Base
  protect_from_forgery with: :exception
  def current_user = cookies[:login] == "7" ? Struct.new(:id).new(7) : nil
end`,
    'app/controllers/says_controller.rb': `
class SaysController < ApplicationController
  def show = render(json: Sluice.publish("chat:7", { text: "Hello" }))
end`,
    'run.rb': RAILS,
  })
  const port = await startProgram(t, {
    command: ['ruby', 'run.rb'],
    ...{ cwd, env: { ...env, RAILS_ENV: 'production' } },
  })
  return { url: `http://127.0.0.1:${port}`, cookie: 'login=7', user: '7' }
}

const FRAMEWORKS = { 'Next.js': startNext, Django: startDjango, Rails: startRails }

for (const [name, startBackend] of Object.entries(FRAMEWORKS)) {
  t.test(`${name}: who is logged in gets a ticket, and reads what is published`, async (t) => {
    const { gateway, env } = await startLocked(t)
    const { url, cookie, user } = await startBackend(t, env)
    t.equal((await ask(`${url}/sluice-ticket`)).status, 401, 'nobody else does')
    const answer = await ask(`${url}/sluice-ticket`, { headers: { cookie } })
    t.equal(answer.status, 200)
    t.match(answer.headers['cache-control'], /no-store/)
    const stream = await openByTicket(t, gateway.url, answer.json.ticket)
    t.same((await stream.event('stream.ready')).json.channels, ['chat:7', `user:${user}`])
    t.equal((await ask(`${url}/say`)).status, 200)
    const { json } = await stream.find(({ json }) => json?.channel === 'chat:7')
    t.same(json.data, { text: 'Hello' })

    await gateway.stop()
    const broken = await ask(`${url}/sluice-ticket`, { headers: { cookie } })
    t.equal(broken.status, 500, 'nobody takes an error for a ticket')
  })
}
