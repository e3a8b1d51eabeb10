/** The client as one file for browsers: dist/browser/client.js, which the gateway serves, and its source map. */
import { build } from 'esbuild'

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
    /^(?:proven|probing|notBefore|failures|probeAt|renewAt|checkAt|checked|deadline|opened|heard|owed|rtt|phase|takeState|takeChange|lookBack|onItem|onServed|onRefused|onMissed|onMeasured|onReceipt|onClosed|established|polling|renews|tell|acknowledged|forget|restart|leave|expire|take|hurry|caller|opening|feed|known|doubt|what|asked|wanted|query|items|seen|comment|page|ask|open|say|stop|commands|machine|online|reset|field|consume|onRetry|onComment|maxBufferSize)$/,
  sourcemap: true,
  sourcesContent: true,
  legalComments: 'none',
  logLevel: 'warning',
})
