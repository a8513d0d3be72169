// The clusters: one, as a rule.
import { Heading, Loading, Tag, Tile, Tiles, useTitle } from '../components/basic'
import { Table, type Column } from '../components/table'
import { t } from '../i18n/i18n'
import type { Cluster } from '../lib/api'
import { clusters, clustersError } from '../lib/clusters'
import { bytes, count, NONE } from '../lib/format'
import { urls } from '../lib/urls'

const rate = (n: number | null) => (n === null ? NONE : `${bytes(n)}/s`)

const columns = (): Column<Cluster>[] => [
  {
    id: 'name',
    head: t('dashboard.name'),
    wide: true,
    cell: (c) => (
      <>
        <a href={urls.brokers(c.name)}>{c.name}</a> {c.readOnly && <Tag tone="blue">{t('cluster.readOnly')}</Tag>}
      </>
    ),
  },
  { id: 'version', head: t('common.version'), cell: (c) => c.version },
  { id: 'brokers', head: t('dashboard.brokers'), number: true, cell: (c) => count(c.brokerCount) },
  { id: 'partitions', head: t('common.partitions'), number: true, cell: (c) => count(c.onlinePartitionCount) },
  {
    id: 'topics',
    head: t('common.topics'),
    number: true,
    cell: (c) => <a href={urls.topics(c.name)}>{count(c.topicCount)}</a>,
  },
  { id: 'in', head: t('dashboard.production'), number: true, cell: (c) => rate(c.bytesInPerSec) },
  { id: 'out', head: t('dashboard.consumption'), number: true, cell: (c) => rate(c.bytesOutPerSec) },
]

export default function DashboardPage() {
  useTitle(t('nav.dashboard'))
  const all = clusters.value
  const online = all?.filter((c) => c.status === 'ONLINE').length ?? 0
  return (
    <>
      <Heading title={t('nav.dashboard')} />
      {all ? (
        <>
          <Tiles>
            <Tile label={t('cluster.online')}>{count(online)}</Tile>
            <Tile label={t('cluster.offline')} alert={online < all.length}>
              {count(all.length - online)}
            </Tile>
          </Tiles>
          <Table caption={t('nav.dashboard')} rows={all} columns={columns()} rowKey={(c) => c.name} empty={t('dashboard.empty')} />
        </>
      ) : (
        !clustersError.value && <Loading />
      )}
    </>
  )
}
