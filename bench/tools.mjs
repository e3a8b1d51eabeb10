// What the rig needs from the machine: found or built once, and a clear word where it is missing.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const here = fileURLToPath(new URL('.', import.meta.url))
export const root = join(here, '..')
export const build = join(here, '.build')

const INSTALL = 'apt-get install nginx libnginx-mod-nchan gcc libc6-dev util-linux redis-server'

/** Why the rig can't go on, for people: printed without a stack. */
export class Missing extends Error {}

export function find(program) {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/local/sbin`
  const found = path
    .split(':')
    .map((dir) => join(dir, program))
    .find((file) => existsSync(file))
  if (!found) throw new Missing(`${program} is missing. On Debian: ${INSTALL}`)
  return found
}

export function nchanModule() {
  const name = 'ngx_nchan_module.so'
  const places = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/share/nginx/modules']
  const dir = places.find((place) => existsSync(join(place, name)))
  if (!dir) throw new Missing(`nginx's nchan module is missing. On Debian: ${INSTALL}`)
  return join(dir, name)
}

export function compile(name) {
  mkdirSync(build, { recursive: true })
  const target = join(build, name)
  execFileSync(find('gcc'), ['-O2', '-o', target, join(here, `${name}.c`)], { stdio: 'inherit' })
  return target
}

let found

/**
 * The first two cores that this process may use: one for the server, one for the load client. As it was
 * when first asked, for a script may take its place on one of them.
 */
export function cores() {
  found ??= twoCores()
  return found
}

function twoCores() {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]
  const list = allowed.split(',').flatMap((range) => {
    const [from, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
  if (list.length < 2)
    throw new Missing('two cores are needed: one for the server, one for the client')
  return { server: list[0], client: list[1] }
}

/** How many sockets a process here may open, so that 10,000 streams aren't tried with 1,024. */
export function descriptorLimit() {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn']).toString().trim()
  return limit === 'unlimited' ? 1_048_576 : Number(limit)
}

// Descriptors are raised in a shell that then becomes the program, so the pid is the program's own.
export function pinned(core, command, args) {
  const script = 'ulimit -n "$(ulimit -Hn)"; exec "$@"'
  return ['sh', ['-c', script, 'sh', find('taskset'), '-c', String(core), command, ...args]]
}

const flags = (options) =>
  Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return []
    if (value === true) return [`-${name}`]
    return [value].flat().flatMap((one) => [`-${name}`, String(one)])
  })

/** Every process that the rig has started and that still runs. */
export const running = new Set()

/** Runs a load client with the given options; gives its figures. */
export async function client(name, options, signal) {
  const [command, args] = pinned(cores().client, join(build, name), flags(options))
  const done = run(command, args, { signal, killSignal: 'SIGKILL' })
  running.add(done.child)
  const { stdout, stderr } = await done.finally(() => running.delete(done.child))
  if (stderr) process.stderr.write(stderr)
  return JSON.parse(stdout)
}

/** The load client of streams and publishers. */
export async function load(options, signal) {
  const figures = await client('sseload', options, signal)
  if (figures.ready < figures.n && !options.replay) {
    throw new Error(`only ${figures.ready} of ${figures.n} streams opened`)
  }
  return figures
}
