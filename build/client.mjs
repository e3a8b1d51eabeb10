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
  sourcemap: true,
  sourcesContent: true,
  legalComments: 'none',
  logLevel: 'warning',
})
