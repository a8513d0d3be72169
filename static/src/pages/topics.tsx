// The list of topics: searched, sorted and cut into pages by the server.
import { useState } from 'preact/hooks'
import { Heading, Loaded, Tag, useTitle } from '../components/basic'
import { Toggle } from '../components/fields'
import { Icon } from '../components/icon'
import { Menu } from '../components/menu'
import { Pager, PER_PAGE, queryPage } from '../components/pager'
import { Search } from '../components/search'
import { querySort, Table, type Column } from '../components/table'
import { t } from '../i18n/i18n'
import { api, type Topic } from '../lib/api'
import { csv, saveText } from '../lib/clipboard'
import { isReadOnly } from '../lib/clusters'
import { bytes, count } from '../lib/format'
import { attempt, confirmed, failed } from '../lib/notify'
import { usePolled } from '../lib/polled'
import { navigate, place, setQuery, type Params } from '../lib/router'
import { recall, remember } from '../lib/storage'
import { canClear, clearTopic, recreateTopic, removeTopic } from '../lib/topic-actions'
import { urls } from '../lib/urls'

function columnsFor(c: string, readOnly: boolean, reload: () => void): Column<Topic>[] {
  const then = (action: Promise<boolean>) => void action.then((done) => done && reload())
  return [
    {
      id: 'name',
      head: t('topics.name'),
      sort: 'NAME',
      wide: true,
      cell: (topic) => (
        <span class="with-tag">
          {topic.internal && (
            <Tag tone="grey" title={t('topics.internal')}>
              IN
            </Tag>
          )}
          <a class="break" href={urls.topic(c, topic.name)}>
            {topic.name}
          </a>
        </span>
      ),
    },
    { id: 'partitions', head: t('common.partitions'), sort: 'TOTAL_PARTITIONS', number: true, cell: (x) => count(x.partitionCount) },
    { id: 'out', head: t('topics.outOfSync'), sort: 'OUT_OF_SYNC_REPLICAS', number: true, cell: (x) => count(x.replicas - x.inSyncReplicas) },
    { id: 'factor', head: t('topics.factor'), sort: 'REPLICATION_FACTOR', number: true, cell: (x) => count(x.replicationFactor) },
    { id: 'messages', head: t('topics.messages'), sort: 'MESSAGES_COUNT', number: true, cell: (x) => count(x.messagesCount) },
    { id: 'size', head: t('common.size'), sort: 'SIZE', number: true, cell: (x) => bytes(x.segmentSize) },
    {
      id: 'menu',
      head: '',
      narrow: true,
      cell: (topic) => (
        <Menu
          label={t('table.actions', { name: topic.name })}
          items={[
            { text: t('topic.clear'), run: () => then(clearTopic(c, topic.name)), disabled: readOnly || topic.internal || !canClear(topic) },
            { text: t('topic.recreate'), run: () => then(recreateTopic(c, topic.name)), disabled: readOnly || topic.internal },
            { text: t('topic.remove'), run: () => then(removeTopic(c, topic.name)), disabled: readOnly || topic.internal, danger: true },
          ]}
        />
      ),
    },
  ]
}

interface BulkProps {
  c: string
  names: string[]
  done: () => void
}

function BulkActions({ c, names, done }: BulkProps) {
  const forAll = async (ask: string, run: (name: string) => Promise<unknown>, told: string) => {
    const body = (
      <>
        <p>{ask}</p>
        <ul class="names">
          {names.map((name) => (
            <li key={name}>
              <strong class="break">{name}</strong>
            </li>
          ))}
        </ul>
      </>
    )
    if (!(await confirmed(body))) return
    await attempt(() => Promise.all(names.map(run)), told)
    done()
  }
  return (
    <div class="bulk">
      <button
        type="button"
        class="button"
        disabled={names.length === 0}
        onClick={() => void forAll(t('topics.askDelete'), (name) => api.deleteTopic(c, name), t('topics.deleted', { n: names.length }))}
      >
        {t('topics.deleteSelected')}
      </button>
      <button type="button" class="button" disabled={names.length !== 1} onClick={() => navigate(urls.topicCopy(c, names[0] ?? ''))}>
        {t('topics.copySelected')}
      </button>
      <button
        type="button"
        class="button"
        disabled={names.length === 0}
        onClick={() => void forAll(t('topics.askPurge'), (name) => api.purgeTopic(c, name), t('topics.purged', { n: names.length }))}
      >
        {t('topics.purgeSelected')}
      </button>
    </div>
  )
}

async function exportCsv(c: string, query: Record<string, string | boolean>): Promise<void> {
  try {
    const all: Topic[] = []
    for (let page = 1, pages = 1; page <= pages; page++) {
      const part = await api.topics(c, { ...query, page, perPage: 500 })
      all.push(...part.topics)
      pages = part.pageCount
    }
    const head = ['Topic Name', 'Partitions', 'Out of sync replicas', 'Replication Factor', 'Number of messages', 'Size']
    const rows = all.map((x) => [x.name, x.partitionCount, x.replicas - x.inSyncReplicas, x.replicationFactor, x.messagesCount, x.segmentSize])
    saveText(`topics_${new Date().toISOString().slice(0, 10)}.csv`, csv([head, ...rows]), 'text/csv')
  } catch (e) {
    failed(e)
  }
}

export default function TopicsPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  useTitle(t('nav.topics'), c)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const query = place.value.query
  const hidden = (query.get('hideInternal') ?? recall('hideInternalTopics') ?? 'false') === 'true'
  const sort = querySort('NAME')
  const filters = { search: query.get('q') ?? '', showInternal: !hidden, orderBy: sort.by, sortOrder: sort.descending ? 'DESC' : 'ASC' }
  const wanted = { ...filters, page: queryPage(), perPage: PER_PAGE }
  const polled = usePolled(JSON.stringify([c, wanted]), (signal) => api.topics(c, wanted, signal))
  const readOnly = isReadOnly(c)
  const showInternal = (on: boolean) => {
    remember('hideInternalTopics', String(!on))
    setQuery({ hideInternal: on ? null : 'true', page: null })
  }
  const select = (topics: Topic[], on: boolean) => {
    const next = new Set(selected)
    for (const topic of topics)
      if (on) next.add(topic.name)
      else next.delete(topic.name)
    setSelected(next)
  }
  return (
    <>
      <Heading title={t('nav.topics')}>
        <button type="button" class="button" onClick={() => void exportCsv(c, filters)}>
          <Icon name="download" /> {t('common.csv')}
        </button>
        {!readOnly && (
          <a class="button primary" href={urls.topicCreate(c)}>
            <Icon name="plus" /> {t('topics.add')}
          </a>
        )}
      </Heading>
      <div class="tools">
        <Search label={t('topics.search')} />
        <Toggle label={t('topics.showInternal')} checked={!hidden} onChange={showInternal} />
      </div>
      <Loaded {...polled}>
        {(page) => (
          <>
            {!readOnly && (
              <BulkActions
                c={c}
                names={page.topics.map((topic) => topic.name).filter((name) => selected.has(name))}
                done={() => {
                  setSelected(new Set())
                  polled.reload()
                }}
              />
            )}
            <Table
              caption={t('nav.topics')}
              rows={page.topics}
              columns={columnsFor(c, readOnly, polled.reload)}
              rowKey={(topic) => topic.name}
              empty={t('topics.empty')}
              sort={sort}
              select={{
                has: (topic) => selected.has(topic.name),
                can: (topic) => !topic.internal,
                set: (topic, on) => select([topic], on),
                setAll: (on) => select(page.topics.filter((topic) => !topic.internal), on),
              }}
            />
            <Pager pages={page.pageCount} />
          </>
        )}
      </Loaded>
    </>
  )
}
