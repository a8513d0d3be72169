import { Tag, Tile, Tiles } from '../components/basic'
import { Menu } from '../components/menu'
import { Table, type Column } from '../components/table'
import { t } from '../i18n/i18n'
import type { Partition, Topic } from '../lib/api'
import { isReadOnly } from '../lib/clusters'
import { bytes, count } from '../lib/format'
import { canClear, clearTopic } from '../lib/topic-actions'

interface Props {
  c: string
  topic: Topic
  reload: () => void
}

function columnsFor({ c, topic, reload }: Props): Column<Partition>[] {
  const locked = isReadOnly(c) || topic.internal || !canClear(topic)
  return [
    { id: 'id', head: t('overview.partition'), cell: (p) => p.partition },
    {
      id: 'replicas',
      head: t('common.replicas'),
      cell: (p) =>
        p.replicas.map((r) => (
          <Tag key={r.broker} tone={!r.inSync ? 'red' : r.leader ? 'green' : 'grey'} title={r.leader ? t('overview.leader') : undefined}>
            {r.broker}
          </Tag>
        )),
    },
    { id: 'first', head: t('overview.first'), number: true, cell: (p) => count(p.offsetMin) },
    { id: 'next', head: t('overview.next'), number: true, cell: (p) => count(p.offsetMax) },
    { id: 'count', head: t('overview.count'), number: true, cell: (p) => count(p.offsetMax - p.offsetMin) },
    {
      id: 'menu',
      head: '',
      narrow: true,
      cell: (p) => (
        <Menu
          label={t('table.actions', { name: `${topic.name}-${p.partition}` })}
          items={[
            {
              text: t('topic.clear'),
              disabled: locked,
              run: () => void clearTopic(c, topic.name, p.partition).then((done) => done && reload()),
            },
          ]}
        />
      ),
    },
  ]
}

export function TopicOverview(props: Props) {
  const { topic } = props
  return (
    <>
      <Tiles>
        <Tile label={t('common.partitions')}>{count(topic.partitionCount)}</Tile>
        <Tile label={t('topics.factor')}>{count(topic.replicationFactor)}</Tile>
        <Tile label={t('common.urp')} alert={topic.underReplicatedPartitions > 0}>
          {count(topic.underReplicatedPartitions)}
        </Tile>
        <Tile label={t('brokers.isr')} alert={topic.inSyncReplicas < topic.replicas}>
          {t('brokers.of', { n: count(topic.inSyncReplicas), all: count(topic.replicas) })}
        </Tile>
        <Tile label={t('overview.type')}>
          <Tag tone="grey">{t(topic.internal ? 'overview.internal' : 'overview.external')}</Tag>
        </Tile>
        <Tile label={t('overview.segmentSize')}>{bytes(topic.segmentSize)}</Tile>
        <Tile label={t('overview.segmentCount')}>{count(topic.segmentCount)}</Tile>
        <Tile label={t('overview.policy')}>
          <Tag tone="grey">{topic.cleanUpPolicy}</Tag>
        </Tile>
        <Tile label={t('overview.count')}>{count(topic.messagesCount)}</Tile>
      </Tiles>
      <Table caption={t('common.partitions')} rows={topic.partitions} columns={columnsFor(props)} rowKey={(p) => String(p.partition)} empty={t('overview.empty')} />
    </>
  )
}
