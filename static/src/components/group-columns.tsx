// Columns of a list of consumer groups, on their own page and on a topic's.
import { t } from '../i18n/i18n'
import type { Group } from '../lib/api'
import { count } from '../lib/format'
import { urls } from '../lib/urls'
import { State } from './basic'
import type { Column } from './table'
import { Text } from './text'

export const lagText = (lag: number | null) => (lag === null ? 'N/A' : count(lag))

export function groupColumns(c: string): Column<Group>[] {
  return [
    {
      id: 'id',
      head: t('groups.id'),
      sort: 'NAME',
      wide: true,
      cell: (g) => (
        <a class="break" href={urls.group(c, g.groupId)}>
          <Text value={g.groupId} />
        </a>
      ),
    },
    { id: 'members', head: t('groups.members'), sort: 'MEMBERS', number: true, cell: (g) => count(g.members) },
    { id: 'topics', head: t('groups.topics'), sort: 'TOPIC_NUM', number: true, cell: (g) => count(g.topics) },
    { id: 'lag', head: t('groups.lag'), sort: 'MESSAGES_BEHIND', number: true, cell: (g) => lagText(g.consumerLag) },
    { id: 'coordinator', head: t('groups.coordinator'), number: true, cell: (g) => g.coordinator?.id },
    { id: 'state', head: t('common.state'), sort: 'STATE', cell: (g) => <State state={g.state} /> },
  ]
}
