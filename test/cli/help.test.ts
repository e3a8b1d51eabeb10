import t from 'tap'
import { OPTIONS } from '../../src/config.js'
import { run } from './run.js'

t.test('without a command it explains itself', async (t) => {
  for (const argv of [[], ['--help'], ['-h'], ['help']]) {
    const { code, stdout, stderr } = await run(argv)
    t.equal(code, 0)
    t.equal(stderr, '')
    for (const word of ['serve', 'publish', 'tail', 'token', 'SLUICE_TOKEN', 'Exit codes']) {
      t.match(stdout, word)
    }
  }
})

t.test('each command explains itself, in lines that fit', async (t) => {
  for (const name of ['serve', 'publish', 'tail', 'token']) {
    const { code, stdout } = await run([name, '--help'])
    t.equal(code, 0)
    t.match(stdout, new RegExp(`^Usage\n {2}sluice ${name} `))
    t.equal((await run(['help', name])).stdout, stdout)
    const long = stdout.split('\n').filter((line) => line.length > 120)
    t.strictSame(long, [])
  }
})

t.test('the help of serve has every option with its default', async (t) => {
  const { stdout } = await run(['serve', '--help'])
  for (const { flag, key, fallback } of OPTIONS) {
    const name = flag === undefined ? `  ${key} ` : `--${flag} <`
    const line = stdout.split('\n').find((candidate) => candidate.includes(name))
    t.ok(line, name)
    if (fallback !== undefined) t.match(line, `[${fallback}]`)
  }
})

t.test('the help of serve has every form of an address of Redis', async (t) => {
  const { stdout } = await run(['serve', '--help'])
  for (const form of [' redis://host1:6379,host2:6379', ' redis+sentinel://host1', ' rediss://']) {
    t.match(stdout, form)
  }
})

t.test('a mistyped command is named with the nearest right one, and exits 2', async (t) => {
  t.match(await run(['pubish', 'c']), {
    code: 2,
    stderr: /no command "pubish"; did you mean publish\?/,
  })
  t.match(await run(['frobnicate']), { code: 2, stderr: /they are serve, publish, tail, token/ })
})

t.test('a mistyped option is named with the nearest right one, and exits 2', async (t) => {
  t.match(await run(['tail', 'c', '--rewnd', '5']), { code: 2, stderr: /did you mean --rewind\?/ })
  t.match(await run(['publish', 'c', 'x', '--nmae=n']), {
    code: 2,
    stderr: /did you mean --name\?/,
  })
  t.match(await run(['serve', '--prot', '1']), { code: 2, stderr: /--prot.*did you mean port\?/ })
})

t.test('a wrong configuration is told whole, and exits 2', async (t) => {
  const env = { SLUICE_PORT: 'x', SLUICE_JWT_SECRET: 's', SLUICE_HEARTBEET: '1' }
  const { code, stderr } = await run(['serve', '--partitions=0'], { env })
  t.equal(code, 2)
  for (const source of ['SLUICE_PORT', 'SLUICE_JWT_SECRET', 'SLUICE_HEARTBEET', '--partitions']) {
    t.match(stderr, new RegExp(`^sluice: ${source}`, 'm'))
  }
  t.match(await run(['serve', 'now']), { code: 2, stderr: /options only/ })
})

t.test('SLUICE_URL, which the other commands read, is no mistake to serve', async (t) => {
  const { stderr } = await run(['serve', '--port=x'], { env: { SLUICE_URL: 'http://127.0.0.1:1' } })
  t.notMatch(stderr, 'SLUICE_URL')
})

t.test('what a command line lacks is said', async (t) => {
  t.match(await run(['publish']), { code: 2, stderr: /name the channel/ })
  t.match(await run(['tail']), { code: 2, stderr: /name a channel/ })
  t.match(await run(['publish', 'c', 'two', 'words']), { code: 2, stderr: /quotes/ })
  t.match(await run(['tail', 'c', '--text', '--json']), { code: 2, stderr: /choose/ })
  t.match(await run(['tail', 'c', '--url', 'nonsense']), { code: 2, stderr: /not a URL/ })
})

t.test('the version is the package’s', async (t) => {
  t.match(await run(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ })
})

t.test('colours are for terminals whose user wants them', async (t) => {
  t.match((await run([], { tty: true })).stdout, '\x1b[')
  t.notMatch((await run([], { tty: true, env: { NO_COLOR: '1' } })).stdout, '\x1b[')
  t.notMatch((await run([])).stdout, '\x1b[')
})
