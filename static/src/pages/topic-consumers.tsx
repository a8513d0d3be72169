import { Loaded } from '../components/basic'
import { groupColumns } from '../components/group-columns'
import { Search } from '../components/search'
import { Table } from '../components/table'
import { t } from '../i18n/i18n'
import { api } from '../lib/api'
import { usePolled } from '../lib/polled'
import { place } from '../lib/router'

export function TopicConsumers({ c, topic }: { c: string; topic: string }) {
  const polled = usePolled(`${c} ${topic}`, (signal) => api.topicGroups(c, topic, signal))
  const wanted = (place.value.query.get('q') ?? '').toLowerCase()
  const columns = groupColumns(c).filter((column) => column.id !== 'topics')
  return (
    <>
      <div class="tools">
        <Search label={t('groups.searchName')} />
      </div>
      <Loaded {...polled}>
        {(groups) => (
          <Table
            caption={t('topic.consumers')}
            rows={groups.filter((g) => g.groupId.toLowerCase().includes(wanted))}
            columns={columns}
            rowKey={(g) => g.groupId}
            empty={t('groups.emptyTopic')}
          />
        )}
      </Loaded>
    </>
  )
}
