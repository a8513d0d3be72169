// What the UI tests share: a fresh weir on free ports, the system's Chromium, and checks that hold for every page:
// nothing asked of another host, no error on the console, no failed script, no answer 5xx.
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]

export async function startWeir() {
  const dir = await mkdtemp(join(tmpdir(), 'weir-ui-'))
  const any = '127.0.0.1:0'
  const args = ['server', '--data-dir', dir, '--kafka-listen', any, '--connect-listen', any, '--web-listen', any]
  const child = spawn(process.env.WEIR, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  let said = ''
  const [url, kafka] = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`weir did not get ready:\n${said}`)), 30_000)
    ended.then(() => reject(new Error(`weir ended:\n${said}`)))
    child.stderr.on('data', (piece) => (said += piece))
    child.stdout.on('data', (piece) => {
      said += piece
      const found = /Kafka\s+(\S+)\n[^]*Web page\s+(http:\S+)\n/.exec(said)
      if (found) {
        clearTimeout(timer)
        resolve([found[2], found[1]])
      }
    })
  })
  return {
    url,
    kafka,
    async stop() {
      child.kill('SIGTERM')
      await ended
      if (process.env.UI_FAILURES) await writeFile(join(process.env.UI_FAILURES, 'weir.log'), said)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

// The REST interface, for what a test only prepares.
export async function call(url, method, path, body) {
  const response = await fetch(`${url}/api/clusters/local/${path}`, {
    method,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response.text()
}

export async function startBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS })
}

// A page with its complaints collected in page.complaints.
export async function openPage(browser, { url, kafka }, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1366, height: 768 }, ...options })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url })
  const page = await context.newPage()
  const complaints = []
  page.setDefaultTimeout(30_000)
  page.on('request', (request) => {
    const to = new URL(request.url())
    if (to.origin !== url && !['data:', 'blob:'].includes(to.protocol)) complaints.push(`asked another host: ${request.url()}`)
  })
  page.on('console', (message) => {
    const refused = /the server responded with a status of 4\d\d/.test(message.text())
    if (message.type() === 'error' && !refused) complaints.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('response', (response) => {
    if (response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`)
  })
  page.complaints = complaints
  page.base = url
  page.kafka = kafka
  return page
}

export async function saveFailure(page, name) {
  const dir = process.env.UI_FAILURES
  if (!dir) return
  const file = join(dir, name.replace(/\W+/g, '-'))
  await page.screenshot({ path: `${file}.png` }).catch(() => {})
  await writeFile(`${file}.txt`, `${page.url()}\n${page.complaints.join('\n')}\n`)
}

