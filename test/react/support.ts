/** Pages of an application on React: bundled as an application would, served on an origin of their own. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** One script of an entry's text and all that it imports. `sluice/…` is what `npm run build` has made. */
export async function bundle(contents: string, mode: 'development' | 'production') {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: 'js' },
    ...{ bundle: true, write: false, format: 'iife' },
    alias: {
      'sluice/client': `${root}dist/client/index.js`,
      'sluice/react': `${root}dist/react/index.js`,
    },
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
  })
  return outputFiles[0]!.text
}
