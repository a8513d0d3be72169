import { Heading, Loaded, useTitle } from '../components/basic'
import { groupColumns } from '../components/group-columns'
import { Pager, PER_PAGE, queryPage } from '../components/pager'
import { Search } from '../components/search'
import { querySort, Table } from '../components/table'
import { t } from '../i18n/i18n'
import { api } from '../lib/api'
import { usePolled } from '../lib/polled'
import { place, setQuery, type Params } from '../lib/router'

const STATES = ['STABLE', 'PREPARING_REBALANCE', 'COMPLETING_REBALANCE', 'EMPTY', 'DEAD']

export default function GroupsPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  useTitle(t('nav.consumers'), c)
  const query = place.value.query
  const sort = querySort('NAME')
  const state = query.get('state') ?? ''
  const wanted = {
    page: queryPage(),
    perPage: PER_PAGE,
    search: query.get('q') ?? '',
    orderBy: sort.by,
    sortOrder: sort.descending ? 'DESC' : 'ASC',
    state,
  }
  const polled = usePolled(JSON.stringify([c, wanted]), (signal) => api.groups(c, wanted, signal))
  return (
    <>
      <Heading title={t('nav.consumers')} />
      <div class="tools">
        <Search label={t('groups.search')} />
        <select aria-label={t('common.state')} value={state} onChange={(e) => setQuery({ state: e.currentTarget.value, page: null })}>
          <option value="">{t('groups.allStates')}</option>
          {STATES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <Loaded {...polled}>
        {(page) => (
          <>
            <Table caption={t('nav.consumers')} rows={page.consumerGroups} columns={groupColumns(c)} rowKey={(g) => g.groupId} empty={t('groups.empty')} sort={sort} />
            <Pager pages={page.pageCount} />
          </>
        )}
      </Loaded>
    </>
  )
}
