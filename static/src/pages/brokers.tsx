import { Heading, Loaded, Tile, Tiles, useTitle } from '../components/basic'
import { Table, type Column } from '../components/table'
import { t } from '../i18n/i18n'
import { api, type Broker, type ClusterStats, type Lab } from '../lib/api'
import { clusters } from '../lib/clusters'
import { bytes, count, NONE } from '../lib/format'
import { attempt } from '../lib/notify'
import { usePolled } from '../lib/polled'
import type { Params } from '../lib/router'
import { urls } from '../lib/urls'

const percent = (n: number | null) => (n === null ? NONE : `${n} %`)

function columnsFor(c: string, stats: ClusterStats): Column<Broker>[] {
  const disk = (id: number) => stats.diskUsage.find((d) => d.brokerId === id)
  return [
    {
      id: 'id',
      head: t('brokers.id'),
      cell: (b) => (
        <>
          <a href={urls.broker(c, b.id)}>{b.id}</a>
          {b.id === stats.activeControllers && <span class="tick" title={t('brokers.controller')}> ✓</span>}
        </>
      ),
    },
    {
      id: 'disk',
      head: t('brokers.disk'),
      cell: (b) => t('brokers.segments', { size: bytes(disk(b.id)?.segmentSize), n: count(disk(b.id)?.segmentCount) }),
    },
    { id: 'isr', head: t('brokers.isr'), number: true, cell: (b) => count(b.inSyncPartitions) },
    { id: 'replicas', head: t('common.replicas'), number: true, cell: (b) => count(b.partitions) },
    { id: 'skew', head: t('brokers.replicasSkew'), number: true, cell: (b) => percent(b.partitionsSkew) },
    { id: 'leaders', head: t('brokers.leaders'), number: true, cell: (b) => count(b.partitionsLeader) },
    { id: 'leadersSkew', head: t('brokers.leadersSkew'), number: true, cell: (b) => percent(b.leadersSkew) },
    { id: 'port', head: t('brokers.port'), number: true, cell: (b) => b.port },
    { id: 'host', head: t('common.host'), cell: (b) => b.host },
  ]
}

// The brokers of `weir server --lab-brokers 3`, stopped ones too, with the buttons that stop and start them.
function LabBrokers({ lab, reload }: { lab: Lab; reload: () => void }) {
  const turn = async (id: number, running: boolean) => {
    await attempt(() => api.labBroker(id, running ? 'stop' : 'start'), t(running ? 'brokers.stoppedNow' : 'brokers.started', { id }))
    reload()
  }
  const elect = async () => {
    await attempt(() => api.labElect(), t('brokers.elected'))
    reload()
  }
  return (
    <section>
      <div class="tools">
        <h2>{t('brokers.lab')}</h2>
        <button type="button" class="button" onClick={() => void elect()}>
          {t('brokers.elect')}
        </button>
      </div>
      <Table
        caption={t('brokers.lab')}
        rows={lab.brokers}
        rowKey={(b) => String(b.id)}
        empty=""
        columns={[
          { id: 'id', head: t('brokers.id'), cell: (b) => b.id },
          { id: 'address', head: t('common.host'), cell: (b) => <span class="mono">{`${b.host}:${b.port}`}</span> },
          { id: 'state', head: t('brokers.state'), cell: (b) => t(b.running ? 'brokers.running' : 'brokers.stopped') },
          { id: 'leaders', head: t('brokers.leaders'), number: true, cell: (b) => count(b.leaders) },
          { id: 'isr', head: t('brokers.isr'), number: true, cell: (b) => t('brokers.of', { n: count(b.inSync), all: count(b.replicas) }) },
          {
            id: 'turn',
            head: '',
            cell: (b) => (
              <button type="button" class="button" onClick={() => void turn(b.id, b.running)}>
                {t(b.running ? 'brokers.stop' : 'brokers.start', { id: b.id })}
              </button>
            ),
          },
        ]}
      />
    </section>
  )
}

export default function BrokersPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  useTitle(t('nav.brokers'), c)
  const polled = usePolled(c, async (signal) => {
    const [stats, brokers, lab] = await Promise.all([api.stats(c, signal), api.brokers(c, signal), api.lab(signal)])
    return { stats, brokers, lab }
  })
  const controller = clusters.value?.find((cluster) => cluster.name === c) ? 'KRaft' : NONE
  return (
    <>
      <Heading title={t('nav.brokers')} />
      <Loaded {...polled}>
        {({ stats, brokers, lab }) => (
          <>
            <Tiles>
              <Tile label={t('brokers.count')}>{count(stats.brokerCount)}</Tile>
              <Tile label={t('brokers.controller')}>{stats.activeControllers ?? NONE}</Tile>
              <Tile label={t('common.version')}>{stats.version}</Tile>
              <Tile label={t('brokers.online')} alert={stats.offlinePartitionCount > 0}>
                {t('brokers.of', { n: count(stats.onlinePartitionCount), all: count(stats.onlinePartitionCount + stats.offlinePartitionCount) })}
              </Tile>
              <Tile label={t('common.urp')} alert={stats.underReplicatedPartitionCount > 0}>
                {count(stats.underReplicatedPartitionCount)}
              </Tile>
              <Tile label={t('brokers.isr')}>
                {t('brokers.of', { n: count(stats.inSyncReplicasCount), all: count(stats.inSyncReplicasCount + stats.outOfSyncReplicasCount) })}
              </Tile>
              <Tile label={t('brokers.controllerType')}>{controller}</Tile>
            </Tiles>
            <Table caption={t('nav.brokers')} rows={brokers} columns={columnsFor(c, stats)} rowKey={(b) => String(b.id)} empty={t('brokers.empty')} />
            {lab.lab && <LabBrokers lab={lab} reload={polled.reload} />}
          </>
        )}
      </Loaded>
    </>
  )
}
