// Runs the checks without a browser, then the journeys against one weir and one browser: run.mjs [--short]. Closes with 'N passed, N failed'.
import { openPage, saveFailure, startBrowser, startWeir } from './harness.mjs'
import { long, short } from './journeys.mjs'
import { pure } from './pure.mjs'

const journeys = process.argv.includes('--short') ? short : [...short, ...long]
let passed = 0
let failed = 0
for (const { name, run } of pure) {
  try {
    await run()
    passed++
    console.log(`ok   ${name}`)
  } catch (e) {
    failed++
    console.log(`FAIL ${name}\n${e.stack}`)
  }
}
const weir = await startWeir()
const browser = await startBrowser()
try {
  for (const { name, options, run } of journeys) {
    const page = await openPage(browser, weir, options)
    const started = Date.now()
    try {
      await run(page)
      if (page.complaints.length > 0) throw new Error(page.complaints.join('\n'))
      passed++
      console.log(`ok   ${name} (${Date.now() - started} ms)`)
    } catch (e) {
      failed++
      console.log(`FAIL ${name}\n${e.stack}`)
      await saveFailure(page, name)
    }
    await page.context().close()
  }
} finally {
  await browser.close()
  await weir.stop()
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
