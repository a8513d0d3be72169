// Bundles src/main.tsx into dist/: one page, one script (pages load when opened), one style sheet, and the few
// lines of src/theme.ts that run before the first paint. File names carry a hash of their contents, so that
// browsers may keep them for ever. Fails when a text of the dictionary is not used anywhere.
import { build } from 'esbuild'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const out = 'dist'

async function sources(dir) {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true })
  const files = entries.filter((e) => e.isFile() && /\.tsx?$/.test(e.name)).map((e) => join(e.parentPath ?? e.path, e.name))
  return files.filter((f) => !f.includes('i18n'))
}

async function unusedTexts() {
  const dictionary = await readFile('src/i18n/en.ts', 'utf8')
  const keys = [...dictionary.matchAll(/^ {2}'([^']+)':/gm)].map((m) => m[1])
  const code = (await Promise.all((await sources('src')).map((f) => readFile(f, 'utf8')))).join('\n')
  const families = [...code.matchAll(/`([a-z]+\.)\$\{/g)].map((m) => m[1]) // t(`state.${x}`)
  return keys.filter((k) => !code.includes(`'${k}'`) && !families.some((f) => k.startsWith(f)))
}

const unused = await unusedTexts()
if (unused.length > 0) {
  console.error(`texts that nothing shows: ${unused.join(', ')}`)
  process.exit(1)
}

await rm(out, { recursive: true, force: true })
await mkdir(out, { recursive: true })
const result = await build({
  entryPoints: ['src/main.tsx', 'src/theme.ts'],
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
const find = (pattern) => files.find((f) => pattern.test(f))
let html = await readFile('src/index.html', 'utf8')
html = html
  .replace('%THEME%', find(/^assets\/theme-.*\.js$/))
  .replace('%STYLE%', find(/^assets\/main-.*\.css$/))
  .replace('%SCRIPT%', find(/^assets\/main-.*\.js$/))
await cp('src/public', out, { recursive: true })
await writeFile(`${out}/index.html`, html)
