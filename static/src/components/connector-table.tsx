// A list of connectors, on the Connect page and on a topic's.
import { t } from '../i18n/i18n'
import type { ConnectorRow } from '../lib/api'
import { isReadOnly } from '../lib/clusters'
import { connectorActions, connectorRemovals } from '../lib/connector-actions'
import { time } from '../lib/format'
import { urls } from '../lib/urls'
import { State, Tag } from './basic'
import { Menu } from './menu'
import { Table, type Column, type Sort } from './table'

interface Props {
  c: string
  rows: ConnectorRow[]
  reload: () => void
  withTopics: boolean
  sort?: Sort
}

// What a glance must show: a connector that runs while one of its tasks has failed does not.
export function worstState(row: ConnectorRow): string {
  return row.status.state === 'RUNNING' && row.failedTasksCount > 0 ? 'TASK_FAILED' : row.status.state
}

// A connector whose database is down keeps its state, as REST says it, and tries again.
export function NotConnected({ state, since }: { state: string; since: number | null }) {
  if (state !== 'RUNNING' || since === null) return null
  const at = time(since)
  return (
    <Tag tone="red" title={at}>
      {t('connector.notConnected', { at: at.slice(11, 19) })}
    </Tag>
  )
}

const MOST_WARNINGS = 8 // that are kept of a connector

function States({ c, row }: { c: string; row: ConnectorRow }) {
  const n = row.recentWarnings >= MOST_WARNINGS ? `${MOST_WARNINGS}+` : row.recentWarnings
  const said = t('connector.recentWarnings', { n })
  return (
    <span class="states">
      <State state={worstState(row)} />
      <NotConnected state={row.status.state} since={row.notConnectedSince} />
      {row.recentWarnings > 0 && (
        <a class="tag yellow" href={urls.connector(c, row.connect, row.name)} title={said} aria-label={said}>
          {`⚠\u00a0${n}`}
        </a>
      )}
    </span>
  )
}

function Tasks({ row }: { row: ConnectorRow }) {
  return (
    <span class={row.failedTasksCount > 0 ? 'warn nowrap' : 'nowrap'}>
      {t('brokers.of', { n: row.status.state === 'RUNNING' || row.status.state === 'TASK_FAILED' ? row.tasksCount - row.failedTasksCount : 0, all: row.tasksCount })}
      {row.failedTasksCount > 0 && <Tag tone="red">{t('connect.nFailed', { n: row.failedTasksCount })}</Tag>}
    </span>
  )
}

export function ConnectorTable({ c, rows, reload, withTopics, sort }: Props) {
  const readOnly = isReadOnly(c)
  const columns: Column<ConnectorRow>[] = [
    {
      id: 'name',
      head: t('common.name'),
      sort: 'NAME',
      wide: true,
      cell: (r) => (
        <a class="break" href={urls.connector(c, r.connect, r.name)}>
          {r.name}
        </a>
      ),
    },
    { id: 'connect', head: t('connect.connect'), sort: 'CONNECT', cell: (r) => r.connect },
    { id: 'type', head: t('connect.type'), sort: 'TYPE', cell: (r) => r.type },
    { id: 'plugin', head: t('connect.plugin'), cell: (r) => <span title={r.connectorClass ?? undefined}>{r.connectorClass?.split('.').pop() ?? '–'}</span> },
    {
      id: 'topics',
      head: t('common.topics'),
      wide: true,
      cell: (r) => (
        <span class="tags">
          {r.topics.slice(0, 8).map((topic) => (
            <a key={topic} class="tag grey" href={urls.topic(c, topic)}>
              {topic}
            </a>
          ))}
          {r.topics.length > 8 && <span class="muted">+{r.topics.length - 8}</span>}
        </span>
      ),
    },
    { id: 'status', head: t('common.state'), sort: 'STATUS', cell: (r) => <States c={c} row={r} /> },
    { id: 'tasks', head: t('connect.runningTasks'), cell: (r) => <Tasks row={r} /> },
    {
      id: 'menu',
      head: '',
      narrow: true,
      cell: (r) => {
        const target = { ...r, c }
        return (
          <Menu
            label={t('table.actions', { name: r.name })}
            items={[...connectorActions(target, readOnly, reload), ...connectorRemovals(target, readOnly, reload, reload)]}
          />
        )
      },
    },
  ]
  return (
    <Table
      caption={t('connect.connectors')}
      rows={rows}
      columns={withTopics ? columns : columns.filter((column) => column.id !== 'topics')}
      rowKey={(r) => `${r.connect}/${r.name}`}
      empty={t('connect.empty')}
      sort={sort}
    />
  )
}
