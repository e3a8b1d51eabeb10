/**
 * The tests run against real programs. This looks whether they are here and, on Debian or Ubuntu,
 * installs what is missing. Plain JavaScript without dependencies: it runs before `npm ci`.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Program → Debian package. */
const NEEDED = {
  'redis-server': 'redis-server',
  nginx: 'nginx',
  chromium: 'chromium',
  openssl: 'openssl',
  curl: 'curl',
  ip: 'iproute2',
  unshare: 'util-linux',
  git: 'git',
  php: 'php-cli',
  ruby: 'ruby',
  turnserver: 'coturn',
}

/** What a program needs besides: Debian package → what only works with it. */
const MODULES = {
  'python3-redis': ['/usr/bin/python3', '-c', 'import redis'],
  'php-redis': ['php', '-r', 'exit(class_exists("Redis") ? 0 : 1);'],
  'ruby-redis': ['ruby', '-e', 'require "redis"'],
  'python3-jwt': ['/usr/bin/python3', '-c', 'import jwt'],
  'python3-httpx': ['/usr/bin/python3', '-c', 'import httpx'],
  'python3-django': ['/usr/bin/python3', '-c', 'import django'],
  'ruby-railties': ['ruby', '-e', 'require "action_controller/railtie"'],
}

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']

function isHere(program) {
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

// policy-rc.d: Debian starts a daemon as soon as it is installed, unless this file says no. The tests
// start their own, on ports of their own.
const INSTALL = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"
`

const works = ([program, ...args]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0

/** Packages that are missing. */
function lookAround() {
  const programs = Object.keys(NEEDED).filter((program) => !isHere(program))
  const modules = Object.keys(MODULES).filter((name) => !works(MODULES[name]))
  return [...new Set([...programs.map((program) => NEEDED[program]), ...modules])]
}

const packages = lookAround()
if (packages.length > 0) {
  const byHand = `Install them and run this again, on Debian: apt-get install ${packages.join(' ')}`
  console.log(`Not here: ${packages.join(', ')}.`)
  if (!isHere('apt-get')) fail(byHand)
  const root = process.getuid() === 0
  if (!root && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) fail(byHand)
  const [command, ...before] = root ? ['sh'] : ['sudo', '-n', 'sh']
  const { status } = spawnSync(command, [...before, '-c', INSTALL, 'install', ...packages], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const still = lookAround()
  if (status !== 0 || still.length > 0) fail(`Still not here: ${still.join(', ')}. ${byHand}`)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
