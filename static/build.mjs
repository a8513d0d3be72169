// Bundles src/main.tsx into dist/: one page, one script (pages that are large load when opened), one style sheet.
// File names carry a hash of their contents, so that browsers may keep them for ever.
import { build } from 'esbuild'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'

const out = 'dist'
await rm(out, { recursive: true, force: true })
await mkdir(out, { recursive: true })
const result = await build({
  entryPoints: ['src/main.tsx'],
  bundle: true,
  minify: true,
  splitting: true,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  outdir: `${out}/assets`,
  entryNames: '[name]-[hash]',
  chunkNames: 'chunk-[hash]',
  assetNames: '[name]-[hash]',
  metafile: true,
  sourcemap: false,
  legalComments: 'none',
  logLevel: 'warning',
})
const files = Object.keys(result.metafile.outputs).map((f) => f.slice(out.length + 1))
const entry = files.find((f) => /^assets\/main-.*\.js$/.test(f))
const style = files.find((f) => /^assets\/main-.*\.css$/.test(f))
let html = await readFile('src/index.html', 'utf8')
html = html.replace('%SCRIPT%', `/${entry}`).replace('%STYLE%', style ? `/${style}` : '')
await writeFile(`${out}/index.html`, html)
await cp('src/public', out, { recursive: true }).catch((e) => {
  if (e.code !== 'ENOENT') throw e
})
