/** The gateway's own pages: dist/pages, a page, a script and a style for each folder of src/pages. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'

const FROM = 'src/pages'
const TO = 'dist/pages'

const names = readdirSync(FROM, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'shared')
  .map(({ name }) => name)

rmSync(TO, { recursive: true, force: true })
mkdirSync(TO, { recursive: true })

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const layout = readFileSync(`${FROM}/layout.html`, 'utf8').replace('{version}', version)
for (const name of names) {
  const page = readFileSync(`${FROM}/${name}/page.html`, 'utf8')
  // The first line says what the page is: <!-- title | description -->
  const [, title, description, body] = /^<!-- (.+?) \| (.+?) -->\n(.*)$/s.exec(page)
  const here = `<a href="/${name === 'home' ? '' : name}"`
  const filled = layout
    .replaceAll('{name}', name)
    .replace('{title}', title)
    .replace('{description}', description)
    .replace('{body}', () => body.trim())
    .replace(`${here}>`, `${here} aria-current="page">`)
  writeFileSync(`${TO}/${name}.html`, filled)
}
for (const name of ['icon.svg', 'icons.svg'])
  copyFileSync(`${FROM}/shared/${name}`, `${TO}/${name}`)

await build({
  entryPoints: names.flatMap((name) => [
    { in: `${FROM}/${name}/main.ts`, out: name },
    { in: `${FROM}/${name}/style.css`, out: name },
  ]),
  outdir: TO,
  bundle: true,
  // What several pages need, the client above all, is one file for all of them.
  splitting: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: ['es2022', 'chrome105', 'firefox121', 'safari16'],
  chunkNames: 'shared-[hash]',
  legalComments: 'none',
  logLevel: 'warning',
})
