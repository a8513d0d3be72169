// One consumer group: what its members read and how far behind they are, by topic.
import { useState } from 'preact/hooks'
import { Heading, Loaded, State, Tile, Tiles, useTitle } from '../components/basic'
import { lagText } from '../components/group-columns'
import { Icon } from '../components/icon'
import { Menu } from '../components/menu'
import { Search } from '../components/search'
import { Table, type Column } from '../components/table'
import { Text } from '../components/text'
import { t } from '../i18n/i18n'
import { api, type GroupDetails, type GroupPartition } from '../lib/api'
import { isReadOnly } from '../lib/clusters'
import { count } from '../lib/format'
import { attempt, confirmed } from '../lib/notify'
import { usePolled } from '../lib/polled'
import { navigate, place, type Params } from '../lib/router'
import { urls } from '../lib/urls'

interface TopicPart {
  topic: string
  lag: number | null
  partitions: GroupPartition[]
}

function byTopic(group: GroupDetails): TopicPart[] {
  const topics = new Map<string, GroupPartition[]>()
  for (const p of group.partitions) topics.set(p.topic, [...(topics.get(p.topic) ?? []), p])
  return [...topics]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([topic, partitions]) => {
      const known = partitions.filter((p) => p.consumerLag !== null)
      const lag = known.length > 0 ? known.reduce((sum, p) => sum + (p.consumerLag ?? 0), 0) : null
      return { topic, lag, partitions: partitions.sort((a, b) => a.partition - b.partition) }
    })
}

const partitionColumns = (): Column<GroupPartition>[] => [
  { id: 'partition', head: t('message.partition'), number: true, cell: (p) => p.partition },
  { id: 'consumer', head: t('groups.consumerId'), wide: true, cell: (p) => <span class="mono break"><Text value={p.consumerId ?? '–'} /></span> },
  { id: 'host', head: t('common.host'), cell: (p) => p.host ?? '–' },
  { id: 'lag', head: t('groups.lag'), number: true, cell: (p) => lagText(p.consumerLag) },
  { id: 'current', head: t('groups.current'), number: true, cell: (p) => count(p.currentOffset) },
  { id: 'end', head: t('groups.end'), number: true, cell: (p) => count(p.endOffset) },
]

function TopicCard({ c, group, part, reload }: { c: string; group: string; part: TopicPart; reload: () => void }) {
  const [open, setOpen] = useState(true)
  const forget = async () => {
    const yes = await confirmed(
      <p>
        {t('groups.askForget')} <strong class="break">{part.topic}</strong>
      </p>,
    )
    if (yes && (await attempt(() => api.forgetTopic(c, group, part.topic), t('groups.forgotten', { topic: part.topic })))) reload()
  }
  return (
    <section class="card">
      <header>
        <button type="button" class="button quiet" aria-expanded={open} aria-label={part.topic} onClick={() => setOpen(!open)}>
          <span class={open ? 'chevron open' : 'chevron'}>
            <Icon name="right" />
          </span>
        </button>
        <a class="break grow" href={urls.topic(c, part.topic)}>
          {part.topic}
        </a>
        <span>
          <span class="muted">{t('groups.lag')}</span> <strong>{lagText(part.lag)}</strong>
        </span>
        <Menu
          label={t('table.actions', { name: part.topic })}
          items={[{ text: t('groups.forget'), run: () => void forget(), danger: true, disabled: isReadOnly(c) }]}
        />
      </header>
      {open && (
        <Table caption={part.topic} rows={part.partitions} columns={partitionColumns()} rowKey={(p) => String(p.partition)} empty={t('overview.empty')} />
      )}
    </section>
  )
}

export default function GroupPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  const id = params.g ?? ''
  useTitle(id, t('nav.consumers'), c)
  const polled = usePolled(`${c} ${id}`, (signal) => api.group(c, id, signal))
  const wanted = (place.value.query.get('q') ?? '').toLowerCase()
  const remove = async () => {
    const yes = await confirmed(
      <p>
        {t('groups.askDelete')} <strong class="break">{id}</strong>
      </p>,
    )
    if (yes && (await attempt(() => api.deleteGroup(c, id), t('groups.deleted', { id })))) navigate(urls.groups(c))
  }
  const locked = isReadOnly(c) || !polled.data
  return (
    <>
      <Heading title={id} back={{ href: urls.groups(c), text: t('nav.consumers') }}>
        <Menu
          label={t('table.actions', { name: id })}
          items={[
            {
              text: t('groups.reset'),
              run: () => navigate(urls.group(c, id, 'reset-offsets')),
              disabled: locked || polled.data?.partitions.length === 0,
            },
            { text: t('groups.delete'), run: () => void remove(), danger: true, disabled: locked },
          ]}
        />
      </Heading>
      <Loaded {...polled}>
        {(group) => (
          <>
            <Tiles>
              <Tile label={t('common.state')}>
                <State state={group.state} />
              </Tile>
              <Tile label={t('groups.memberTile')}>{count(group.members)}</Tile>
              <Tile label={t('groups.assignedTopics')}>{count(group.topics)}</Tile>
              <Tile label={t('groups.assignedPartitions')}>{count(group.partitions.filter((p) => p.consumerId !== null).length)}</Tile>
              <Tile label={t('groups.coordinatorId')}>{group.coordinator?.id ?? '–'}</Tile>
              <Tile label={t('groups.assignor')}>{group.partitionAssignor || '–'}</Tile>
              <Tile label={t('groups.totalLag')}>{lagText(group.consumerLag)}</Tile>
            </Tiles>
            <div class="tools">
              <Search label={t('topics.search')} />
            </div>
            {byTopic(group)
              .filter((part) => part.topic.toLowerCase().includes(wanted))
              .map((part) => (
                <TopicCard key={part.topic} c={c} group={id} part={part} reload={polled.reload} />
              ))}
            {group.partitions.length === 0 && <p class="empty-note">{t('groups.nothing')}</p>}
          </>
        )}
      </Loaded>
    </>
  )
}
