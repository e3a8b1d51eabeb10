/** The client as one file for browsers: dist/browser/client.js, which the gateway serves, and its source map. */
import { readFileSync } from 'node:fs'
import { build } from 'esbuild'

/** What the parser would say of lines that it can't read, to a listener that the client doesn't have. */
const PARSER_ERROR = /new ParseError\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)/g

const withoutWords = {
  name: 'parser without words',
  setup({ onLoad }) {
    onLoad({ filter: /eventsource-parser\/dist\/index\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      const errors = source.match(PARSER_ERROR)?.length
      if (errors !== 3)
        throw new Error(`eventsource-parser has ${errors} errors, not 3: look again`)
      const contents = source
        .replace(PARSER_ERROR, 'undefined')
        .replace(/"(?:`config` must be|Cannot feed parser)[^"]*"/g, '""')
      return { contents }
    })
  },
}

await build({
  entryPoints: ['src/client/browser.ts'],
  outfile: 'dist/browser/client.js',
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: ['es2022'],
  // Names that never leave the file: neither options, nor what travels between tabs of two versions.
  mangleProps:
    /^(?:proven|probing|notBefore|failures|probeAt|renewAt|checkAt|checked|deadline|opened|heard|owed|rtt|phase|takeState|takeChange|lookBack|onItem|onServed|onRefused|onMissed|onMeasured|onReceipt|onClosed|established|taken|inTime|closing|order|tag|json|end|polling|renews|tell|acknowledged|forget|restart|leave|expire|take|hurry|caller|opening|feed|known|doubt|what|asked|wanted|query|items|seen|comment|page|ask|open|say|stop|commands|machine|online|reset|field|consume|onRetry|onComment|maxBufferSize)$/,
  plugins: [withoutWords],
  sourcemap: true,
  sourcesContent: true,
  legalComments: 'none',
  logLevel: 'warning',
})
