// What a user does, step by step. `short` runs with every change; `long` adds the rest.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { call } from './harness.mjs'

const ui = (page, path) => page.goto(`${page.base}/ui/clusters/local/${path}`)
const seen = (page, text) => page.getByText(text).first().waitFor()
const toast = (page) => page.locator('.toast').first()
const row = (page, text) => page.locator('tbody tr', { hasText: text })

async function topic(page, name, partitions = 1, configs = {}) {
  await call(page.base, 'POST', 'topics', { name, partitions, replicationFactor: 1, configs })
}
async function produce(page, name, message) {
  await call(page.base, 'POST', `topics/${name}/messages`, { partition: 0, key: null, value: null, ...message })
}
async function brokenConnector(page, name) {
  const config = { 'connector.class': 'FileStreamSource', file: '/', topic: 'lines', 'tasks.max': '1' }
  await call(page.base, 'POST', 'connects/first/connectors', { name, config })
}

// Reads n records of a topic as a member of a group; false when there is no kcat to do it.
function consume(bootstrap, group, name, n) {
  const done = spawnSync('kcat', ['-b', bootstrap, '-G', group, '-c', String(n), '-X', 'auto.offset.reset=earliest', name], { timeout: 20_000 })
  if (done.error?.code === 'ENOENT') {
    console.log('skipped: consumer groups, no kcat')
    return false
  }
  assert.equal(done.status, 0, String(done.stderr))
  return true
}

const ENVELOPE = (op, before, after) =>
  JSON.stringify({ before, after, source: { db: 'shop', table: 'orders', file: 'bin.1', pos: 4, snapshot: 'false' }, op, ts_ms: 1 })

export const short = [
  {
    name: 'the start page leads to the brokers and topics of the cluster',
    async run(page) {
      await page.goto(`${page.base}/`)
      await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
      await page.locator('tbody').getByRole('link', { name: 'local' }).click()
      await seen(page, 'Active Controller')
      assert.equal(new URL(page.url()).pathname, '/ui/clusters/local/brokers')
      await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Topics' }).click()
      await page.getByRole('heading', { name: 'Topics' }).waitFor()
      assert.equal(await page.title(), 'Topics | local | weir')
      await page.goBack()
      await seen(page, 'Active Controller')
    },
  },
  {
    name: 'a topic is created with the form and found by search',
    async run(page) {
      await topic(page, 'other')
      await ui(page, 'all-topics')
      await page.getByRole('link', { name: 'Add a Topic' }).click()
      const name = page.getByLabel('Topic Name')
      await name.fill('no spaces')
      await seen(page, 'Only letters, digits')
      assert.equal(await page.getByRole('button', { name: 'Create topic' }).isDisabled(), true)
      await name.fill('orders')
      await page.getByLabel('Number of Partitions').fill('3')
      await page.getByRole('button', { name: 'Create topic' }).click()
      await page.getByRole('heading', { name: /orders$/ }).waitFor()
      await ui(page, 'all-topics')
      await row(page, 'other').waitFor()
      await page.getByPlaceholder('Search by Topic Name').fill('ORD')
      await row(page, 'other').waitFor({ state: 'detached' })
      assert.match(page.url(), /q=ORD/)
      assert.equal(await row(page, 'orders').locator('td').nth(2).textContent(), '3')
    },
  },
  {
    name: "the server's words are shown when a topic is refused",
    async run(page) {
      await topic(page, 'taken')
      await ui(page, 'all-topics/create-new-topic')
      await page.getByLabel('Topic Name').fill('taken')
      await page.getByRole('button', { name: 'Create topic' }).click()
      await page.getByRole('alert').filter({ hasText: /exists/ }).waitFor()
    },
  },
  {
    name: 'a produced message appears live, laid out with its own digits',
    async run(page) {
      await topic(page, 'live', 2)
      await ui(page, 'all-topics/live/messages?mode=TAILING')
      await seen(page, 'Waiting for new messages')
      await page.getByRole('button', { name: 'Produce Message' }).click()
      const drawer = page.getByRole('dialog')
      await drawer.locator('textarea').first().fill('k1')
      await drawer.locator('textarea').nth(1).fill('{"big":9007199254740993,"one":1.0,"한글":"값"}')
      await drawer.getByRole('button', { name: 'Add header' }).click()
      await drawer.getByLabel('Key', { exact: true }).last().fill('trace')
      await drawer.getByLabel('Value', { exact: true }).last().fill('t1')
      await drawer.getByRole('button', { name: 'Produce Message' }).click()
      await row(page, 'k1').locator('.expand').click()
      const code = await page.locator('.opened .code').textContent()
      assert.equal(code, '{\n  "big": 9007199254740993,\n  "one": 1.0,\n  "한글": "값"\n}')
      await page.getByRole('tab', { name: /Headers/ }).click()
      await page.locator('.opened').getByText('t1').waitFor()
    },
  },
  {
    name: 'change events show their operation and what changed; tombstones are marked',
    async run(page) {
      await topic(page, 'changes')
      const old = { id: 7, status: 'NEW', amount: '9223372036854775807' }
      const events = [ENVELOPE('r', null, old), ENVELOPE('c', null, old), ENVELOPE('u', old, { ...old, status: 'PAID' }), ENVELOPE('d', old, null), null]
      for (const value of events) await produce(page, 'changes', { key: '7', value })
      await ui(page, 'all-topics/changes/messages')
      for (const op of ['snapshot', 'create', 'update', 'delete']) await page.locator('.message .tag', { hasText: op }).waitFor()
      await row(page, 'tombstone').waitFor()
      const update = page.locator('.message.op-u')
      assert.equal(await update.locator('del').textContent(), 'NEW')
      assert.equal(await update.locator('ins').textContent(), 'PAID')
      await update.locator('.expand').click()
      assert.equal(await page.locator('.diff tr.changed').count(), 1)
      await seen(page, 'bin.1:4')
    },
  },
  {
    name: 'hostile contents stay text and do not break the page',
    async run(page) {
      await topic(page, 'hostile')
      const script = '<script>alert(1)</script><img src=x onerror=alert(2)>'
      await produce(page, 'hostile', { key: script, value: JSON.stringify({ html: script, deep: 1 }), headers: { [script]: script } })
      await produce(page, 'hostile', { key: 'rtl', value: '\u202Egnp.exe\u0007\u0000\u200B end' })
      await produce(page, 'hostile', { key: 'deep', value: '['.repeat(20_000) + ']'.repeat(20_000) })
      await produce(page, 'hostile', { key: 'huge', value: JSON.stringify({ a: 'x"<b>'.repeat(200_000) }) })
      await ui(page, 'all-topics/hostile/messages')
      await row(page, 'huge').waitFor()
      for (const expand of await page.locator('.message .expand').all()) await expand.click()
      await page.getByText('\\u202E').first().waitFor()
      await seen(page, 'are shown.')
      assert.equal(await page.locator('main script, main img, main b[onerror]').count(), 0)
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'the page scrolls sideways')
      await row(page, script).first().waitFor()
    },
  },
  {
    name: 'a failed connector is told apart and its trace is shown in full and copied',
    async run(page) {
      await brokenConnector(page, 'broken')
      await ui(page, 'kafka-connect/connectors')
      await row(page, 'broken').getByText('TASK_FAILED').waitFor()
      assert.ok((await row(page, 'broken').getByText('TASK_FAILED').boundingBox()).height < 36, 'the state stands on one line')
      await row(page, 'broken').getByRole('link', { name: /^\d+ warnings and errors in the last hour$/ }).waitFor()
      await page.getByRole('link', { name: 'broken', exact: true }).click()
      await page.locator('.trace').getByText('Is a directory').waitFor()
      await page.getByRole('button', { name: 'Copy trace' }).click()
      assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^java\.io\.IOException: .*Is a directory/)
      // What the log said of it, without a look into the log.
      const last = page.getByRole('table', { name: 'Last warnings and errors' })
      await last.getByText('ERROR').first().waitFor()
      await last.getByText('the task failed and stays so').first().waitFor()
      const left = (locator) => locator.evaluate((e) => e.getBoundingClientRect().left + parseFloat(getComputedStyle(e).paddingLeft))
      const head = page.getByRole('heading', { name: 'Last warnings and errors' })
      assert.equal(await left(head), await left(last.getByRole('columnheader').first()), 'the heading stands beside its table')
      const width = async (n) => (await last.getByRole('columnheader').nth(n).boundingBox()).width
      assert.ok((await width(3)) > 2 * (await width(0)), 'the message has no room')
    },
  },
  {
    name: 'a connector that cannot work is refused with the reason',
    async run(page) {
      await ui(page, 'create-new')
      const config = {
        'connector.class': 'io.debezium.connector.mysql.MySqlConnector',
        'database.hostname': '127.0.0.1',
        'database.port': 1,
        'database.user': 'u',
        'database.password': 'p',
        'database.server.id': 5401,
        'topic.prefix': 'p',
        'schema.history.internal.kafka.topic': 'h',
        'schema.history.internal.kafka.bootstrap.servers': 'localhost:9092',
      }
      await page.getByLabel('Config').fill(JSON.stringify({ name: 'mysql', config }))
      await page.getByRole('button', { name: 'Submit' }).click()
      await page.getByRole('alert').filter({ hasText: 'Unable to connect' }).waitFor()
    },
  },
  {
    name: 'Korean is the default of a Korean browser, and the switch is remembered',
    options: { locale: 'ko-KR' },
    async run(page) {
      await ui(page, 'all-topics')
      await page.getByRole('heading', { name: '토픽' }).waitFor()
      await page.getByLabel('언어').selectOption('en')
      await page.getByRole('heading', { name: 'Topics' }).waitFor()
      await page.reload()
      await page.getByRole('heading', { name: 'Topics' }).waitFor()
      await page.getByLabel('Language').selectOption('ko')
      await page.getByRole('link', { name: '토픽 추가' }).waitFor()
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'ko')
    },
  },
  {
    name: 'old addresses, unknown clusters and unknown pages',
    async run(page) {
      await topic(page, 'linked')
      await page.goto(`${page.base}/ui/clusters/workshop/topics/linked/messages?seekType=OFFSET&seekTo=0::5&seekDirection=FORWARD`)
      await page.getByRole('heading', { name: 'linked' }).waitFor()
      const now = new URL(page.url())
      assert.equal(now.pathname, '/ui/clusters/local/all-topics/linked/messages')
      assert.deepEqual([now.searchParams.get('mode'), now.searchParams.get('offset'), now.searchParams.get('partitions')], ['FROM_OFFSET', '5', '0'])
      await ui(page, 'connectors')
      await page.getByRole('heading', { name: 'Kafka Connect' }).waitFor()
      await ui(page, 'nothing-here')
      await page.getByRole('heading', { name: '404' }).waitFor()
      await ui(page, 'all-topics/absent')
      await page.getByRole('alert').waitFor()
    },
  },
  {
    name: 'the first load stays below 150 KB',
    async run(page) {
      let bytes = 0
      page.on('response', async (response) => {
        const sizes = await response.request().sizes().catch(() => null)
        bytes += sizes?.responseBodySize ?? 0
      })
      await ui(page, 'all-topics')
      await page.getByRole('heading', { name: 'Topics' }).waitFor()
      assert.ok(bytes > 1000 && bytes < 150 * 1024, `${bytes} bytes`)
    },
  },
]

export const long = [
  {
    name: 'paging through messages keeps every one, and back returns',
    async run(page) {
      await topic(page, 'many')
      for (let i = 0; i < 60; i++) await produce(page, 'many', { key: `k${i}`, value: `v${i}` })
      const offsets = () => page.locator('.message td:nth-child(2)').allTextContents()
      await ui(page, 'all-topics/many/messages?mode=EARLIEST&limit=25')
      const all = []
      for (const first of ['0', '25', '50']) {
        await page.locator('.message td:nth-child(2)').filter({ hasText: new RegExp(`^${first}$`) }).waitFor()
        all.push(...(await offsets()))
        if (first !== '50') await page.getByRole('button', { name: 'Next →' }).click()
      }
      assert.deepEqual(all, Array.from({ length: 60 }, (_, i) => String(i)))
      await page.getByRole('button', { name: '← Previous' }).click()
      await page.locator('.message td:nth-child(2)').filter({ hasText: /^25$/ }).waitFor()
    },
  },
  {
    name: 'messages are filtered by text and partition, and the address keeps it',
    async run(page) {
      await topic(page, 'filtered', 2)
      await produce(page, 'filtered', { partition: 0, value: 'apple 사과' })
      await produce(page, 'filtered', { partition: 1, value: 'pear' })
      await ui(page, 'all-topics/filtered/messages')
      await row(page, 'pear').waitFor()
      await page.getByPlaceholder('Search in key').fill('사과')
      await row(page, 'pear').waitFor({ state: 'detached' })
      await row(page, 'apple').waitFor()
      await page.reload()
      await row(page, 'apple').waitFor()
      await page.locator('.dropdown summary').click()
      await page.getByLabel('Partition #1').check()
      await seen(page, 'No messages found')
    },
  },
  {
    name: 'null, empty text and the word null are told apart',
    async run(page) {
      await topic(page, 'empties')
      await produce(page, 'empties', { key: '', value: 'null' })
      await produce(page, 'empties', { key: null, value: '' })
      await ui(page, 'all-topics/empties/messages?mode=EARLIEST')
      const rows = page.locator('.message')
      await rows.nth(1).waitFor()
      assert.equal(await rows.nth(0).locator('td.key .chip').textContent(), '""')
      assert.equal(await rows.nth(0).locator('td.value .chip').count(), 0)
      assert.equal(await rows.nth(1).locator('td.key .chip').textContent(), 'null')
      assert.equal(await rows.nth(1).locator('td.value .chip').textContent(), '""')
    },
  },
  {
    name: 'topic tabs, editing a setting, more partitions, clearing and removing',
    async run(page) {
      await topic(page, 'managed')
      await produce(page, 'managed', { value: 'x' })
      await ui(page, 'all-topics/managed/settings')
      await seen(page, 'cleanup.policy')
      await ui(page, 'all-topics/managed/edit')
      await page.getByLabel('retention.ms', { exact: true }).fill('3600000')
      await page.getByRole('button', { name: 'Update topic' }).click()
      await row(page, 'retention.ms').getByText('1 h').waitFor()
      await ui(page, 'all-topics/managed/edit')
      await page.getByLabel('Number of Partitions').fill('4')
      await page.locator('.danger-zone').getByRole('button', { name: 'Submit' }).click()
      await page.getByRole('button', { name: 'Confirm' }).click()
      await page.locator('tbody tr').nth(3).waitFor()
      await page.getByRole('button', { name: 'Actions for managed', exact: true }).click()
      await page.getByRole('menuitem', { name: 'Clear Messages' }).click()
      await page.getByRole('button', { name: 'Confirm' }).click()
      await toast(page).getByText('are cleared').waitFor()
      await page.getByRole('button', { name: 'Actions for managed', exact: true }).click()
      await page.getByRole('menuitem', { name: 'Remove Topic' }).click()
      await page.getByRole('dialog').getByText('managed').waitFor()
      await page.getByRole('button', { name: 'Confirm' }).click()
      await page.getByRole('heading', { name: 'Topics', exact: true }).waitFor()
      await row(page, 'managed').waitFor({ state: 'detached' })
    },
  },
  {
    name: 'a consumer group is shown with its lag, its offsets are reset, and it is deleted',
    async run(page) {
      await topic(page, 'read')
      for (const value of ['1', '2', '3']) await produce(page, 'read', { value })
      if (!consume(page.kafka, 'readers', 'read', 2)) return
      await ui(page, 'consumer-groups')
      await row(page, 'readers').getByText('EMPTY').waitFor()
      await page.getByRole('link', { name: 'readers' }).click()
      await page.locator('.card tbody tr').first().waitFor()
      const lag = page.locator('.tile', { hasText: 'Total lag' }).locator('dd')
      const before = await lag.textContent()
      await page.getByRole('button', { name: 'Actions for readers' }).click()
      await page.getByRole('menuitem', { name: 'Reset offset' }).click()
      await page.getByLabel('Reset Type').selectOption('OFFSET')
      await page.getByLabel('New offset of partition 0').fill('1')
      await page.getByRole('button', { name: 'Reset Offsets' }).click()
      await lag.filter({ hasText: /^2$/ }).waitFor()
      assert.match(before, /^[01]$/)
      await page.getByRole('button', { name: 'Actions for readers' }).click()
      await page.getByRole('menuitem', { name: 'Delete consumer group' }).click()
      await page.getByRole('button', { name: 'Confirm' }).click()
      await page.getByRole('heading', { name: 'Consumers', exact: true }).waitFor()
      await row(page, 'readers').waitFor({ state: 'detached' })
    },
  },
  {
    name: 'a connector is created, paused, tells its offsets, is stopped, reset and deleted; its masked secret survives a save',
    async run(page) {
      await ui(page, 'create-new')
      await page.getByLabel('Name', { exact: true }).fill('lines')
      await page.getByLabel('Plugins').selectOption({ label: 'org.apache.kafka.connect.file.FileStreamSourceConnector' })
      const file = new URL('package.json', import.meta.url).pathname
      await page.getByLabel('Config').fill(`{"connector.class":"FileStreamSource","file":"${file}","topic":"lines","tasks.max":1,"some.password":"hidden"}`)
      await page.getByRole('button', { name: 'Submit' }).click()
      await page.getByRole('heading', { name: 'lines' }).waitFor()
      const act = async (name) => {
        await page.getByRole('button', { name: 'Restart', exact: true }).click()
        await page.getByRole('menuitem', { name, exact: true }).click()
      }
      await act('Pause')
      await page.locator('.tile').getByText('PAUSED').waitFor()
      await act('Resume')
      await page.locator('.tile').getByText('RUNNING').waitFor()
      await page.getByRole('link', { name: 'Config' }).click()
      const editor = page.getByLabel('Config')
      const text = await editor.inputValue()
      assert.match(text, /"some.password": "\*{6}"/)
      await editor.fill(text.replace('"tasks.max": "1"', '"tasks.max": "2"'))
      await page.getByRole('button', { name: 'Submit' }).click()
      await toast(page).getByText('is saved').waitFor()
      await page.getByRole('link', { name: 'Offsets' }).click()
      await page.getByText(`{"filename":"${file}"}`).waitFor()
      await page.getByText(/^\{"position":\d+\}$/).waitFor()
      await page.getByRole('link', { name: 'Progress' }).click()
      await page.getByText('The tasks tell nothing of themselves.').waitFor()
      await act('Stop')
      await page.locator('.tile').getByText('STOPPED').waitFor()
      const removal = async (name) => {
        await page.getByRole('button', { name: 'Actions for lines' }).click()
        await page.getByRole('menuitem', { name }).click()
        await page.getByRole('button', { name: 'Confirm' }).click()
      }
      await removal('Reset Offsets')
      await removal('Delete')
      await page.getByRole('heading', { name: 'Kafka Connect', exact: true }).waitFor()
      await row(page, 'lines').waitFor({ state: 'detached' })
    },
  },
  {
    name: 'every page in both themes and narrow: no sideways scrolling',
    options: { viewport: { width: 800, height: 700 }, colorScheme: 'dark' },
    async run(page) {
      await topic(page, 'a-rather-long-topic-name.with.many.parts.so-that-it-must-wrap-somewhere-or-scroll')
      const pages = ['brokers', 'brokers/1', 'all-topics', 'all-topics/create-new-topic', 'consumer-groups', 'kafka-connect', 'kafka-connect/connectors', 'create-new']
      for (const path of pages) {
        await ui(page, path)
        await page.locator('h1').waitFor()
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), path)
      }
      await page.getByRole('button', { name: 'navigation' }).click()
      await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Consumers' }).click()
      await page.getByRole('heading', { name: 'Consumers' }).waitFor()
    },
  },
]
