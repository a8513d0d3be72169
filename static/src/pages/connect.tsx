// Kafka Connect: its clusters, and the connectors in them.
import { Heading, Loaded, Tabs, Tile, Tiles, useTitle } from '../components/basic'
import { ConnectorTable, worstState } from '../components/connector-table'
import { Icon } from '../components/icon'
import { Search } from '../components/search'
import { querySort, sorted, Table, type Column } from '../components/table'
import { t } from '../i18n/i18n'
import { api, type Connect, type ConnectorRow } from '../lib/api'
import { csv, saveText } from '../lib/clipboard'
import { isReadOnly } from '../lib/clusters'
import { count } from '../lib/format'
import { usePolled } from '../lib/polled'
import { place, type Params } from '../lib/router'
import { urls } from '../lib/urls'
import NotFoundPage from './not-found'

function Failed({ n }: { n: number }) {
  return n > 0 ? <span class="warn small">{t('connect.nFailed', { n })}</span> : null
}

function Numbers({ connects, connectors, failed, tasks, failedTasks }: Record<'connects' | 'connectors' | 'failed' | 'tasks' | 'failedTasks', number>) {
  return (
    <Tiles>
      <Tile label={t('connect.clusters')}>{count(connects)}</Tile>
      <Tile label={t('connect.connectors')}>
        {count(connectors)} <Failed n={failed} />
      </Tile>
      <Tile label={t('connect.tasks')}>
        {count(tasks)} <Failed n={failedTasks} />
      </Tile>
    </Tiles>
  )
}

function ClustersTab({ c }: { c: string }) {
  const polled = usePolled(c, (signal) => api.connects(c, signal))
  const sum = (all: Connect[], member: 'connectorsCount' | 'failedConnectorsCount' | 'tasksCount' | 'failedTasksCount') =>
    all.reduce((n, x) => n + (x[member] ?? 0), 0)
  const columns: Column<Connect>[] = [
    { id: 'name', head: t('common.name'), wide: true, cell: (x) => <a href={`${urls.connect(c, 'connectors')}?connect=${encodeURIComponent(x.name)}`}>{x.name}</a> },
    { id: 'address', head: t('connect.address'), cell: (x) => <span class="mono">{x.address}</span> },
    { id: 'version', head: t('common.version'), cell: (x) => x.version ?? '–' },
    {
      id: 'connectors',
      head: t('connect.runningConnectors'),
      cell: (x) => t('brokers.of', { n: (x.connectorsCount ?? 0) - (x.failedConnectorsCount ?? 0), all: x.connectorsCount ?? 0 }),
    },
    {
      id: 'tasks',
      head: t('connect.runningTasks'),
      cell: (x) => t('brokers.of', { n: (x.tasksCount ?? 0) - (x.failedTasksCount ?? 0), all: x.tasksCount ?? 0 }),
    },
  ]
  return (
    <Loaded {...polled}>
      {(all) => (
        <>
          <Numbers
            connects={all.length}
            connectors={sum(all, 'connectorsCount')}
            failed={sum(all, 'failedConnectorsCount')}
            tasks={sum(all, 'tasksCount')}
            failedTasks={sum(all, 'failedTasksCount')}
          />
          <Table caption={t('connect.clusters')} rows={all} columns={columns} rowKey={(x) => x.name} empty={t('connect.noClusters')} />
        </>
      )}
    </Loaded>
  )
}

function matches(row: ConnectorRow, wanted: string): boolean {
  const texts = [row.name, row.status.state, worstState(row), row.type, row.connectorClass ?? '']
  return texts.some((text) => text.toLowerCase().includes(wanted))
}

const ORDERS: Record<string, (row: ConnectorRow) => string> = {
  NAME: (r) => r.name,
  CONNECT: (r) => r.connect,
  TYPE: (r) => r.type,
  STATUS: worstState,
}

function ConnectorsTab({ c, polled }: { c: string; polled: ReturnType<typeof usePolled<ConnectorRow[]>> }) {
  const query = place.value.query
  const wanted = (query.get('q') ?? '').toLowerCase()
  const connect = query.get('connect')
  const sort = querySort('NAME')
  return (
    <Loaded {...polled}>
      {(all) => {
        const rows = all.filter((row) => matches(row, wanted) && (connect === null || row.connect === connect))
        return (
          <>
            <Numbers
              connects={new Set(rows.map((r) => r.connect)).size}
              connectors={rows.length}
              failed={rows.filter((r) => worstState(r).includes('FAILED')).length}
              tasks={rows.reduce((n, r) => n + r.tasksCount, 0)}
              failedTasks={rows.reduce((n, r) => n + r.failedTasksCount, 0)}
            />
            <div class="tools">
              <Search label={t('connect.search')} />
            </div>
            <ConnectorTable c={c} rows={sorted(rows, sort, ORDERS)} reload={polled.reload} withTopics sort={sort} />
          </>
        )
      }}
    </Loaded>
  )
}

function exportCsv(rows: ConnectorRow[]): void {
  const head = ['Name', 'Connect', 'Type', 'Class', 'Topics', 'Status', 'Tasks', 'Failed tasks']
  const lines = rows.map((r) => [r.name, r.connect, r.type, r.connectorClass, r.topics.join(' '), worstState(r), r.tasksCount, r.failedTasksCount])
  saveText(`connectors_${new Date().toISOString().slice(0, 10)}.csv`, csv([head, ...lines]), 'text/csv')
}

export default function ConnectPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  const tab = params.tab ?? 'clusters'
  useTitle(t(tab === 'connectors' ? 'connect.connectors' : 'connect.clusters'), t('nav.connect'), c)
  const connectors = usePolled(c, (signal) => api.connectors(c, signal))
  if (tab !== 'clusters' && tab !== 'connectors') return <NotFoundPage />
  return (
    <>
      <Heading title={t('nav.connect')}>
        <button type="button" class="button" disabled={!connectors.data} onClick={() => exportCsv(connectors.data ?? [])}>
          <Icon name="download" /> {t('common.csv')}
        </button>
        {!isReadOnly(c) && (
          <a class="button primary" href={urls.connectorCreate(c)}>
            <Icon name="plus" /> {t('connect.create')}
          </a>
        )}
      </Heading>
      <Tabs
        label={t('nav.connect')}
        current={tab}
        tabs={[
          { id: 'clusters', href: urls.connect(c, 'clusters'), text: t('connect.clusters') },
          { id: 'connectors', href: urls.connect(c, 'connectors'), text: t('connect.connectors') },
        ]}
      />
      {tab === 'clusters' ? <ClustersTab c={c} /> : <ConnectorsTab c={c} polled={connectors} />}
    </>
  )
}
