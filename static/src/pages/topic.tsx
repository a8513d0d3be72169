// One topic: its title with actions, and the tabs below.
import { useState } from 'preact/hooks'
import { Heading, Loaded, Tabs, useTitle, type Tab } from '../components/basic'
import { Menu } from '../components/menu'
import { t } from '../i18n/i18n'
import { api, type Topic } from '../lib/api'
import { isReadOnly } from '../lib/clusters'
import { usePolled } from '../lib/polled'
import { navigate, type Params } from '../lib/router'
import { canClear, clearTopic, recreateTopic, removeTopic } from '../lib/topic-actions'
import { urls } from '../lib/urls'
import NotFoundPage from './not-found'
import { Produce } from './produce'
import { TopicConnectors } from './topic-connectors'
import { TopicConsumers } from './topic-consumers'
import { TopicMessages } from './topic-messages'
import { TopicOverview } from './topic-overview'
import { TopicSettings } from './topic-settings'

const TABS = [
  ['', 'topic.overview'],
  ['messages', 'topic.messages'],
  ['consumer-groups', 'topic.consumers'],
  ['settings', 'topic.settings'],
  ['connectors', 'topic.connectors'],
] as const

function TabBody({ tab, c, topic, reload }: { tab: string; c: string; topic: Topic; reload: () => void }) {
  if (tab === 'messages') return <TopicMessages c={c} topic={topic} />
  if (tab === 'consumer-groups') return <TopicConsumers c={c} topic={topic.name} />
  if (tab === 'settings') return <TopicSettings c={c} topic={topic.name} />
  if (tab === 'connectors') return <TopicConnectors c={c} topic={topic.name} />
  return <TopicOverview c={c} topic={topic} reload={reload} />
}

export default function TopicPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  const name = params.t ?? ''
  const tab = params.tab ?? ''
  const known = TABS.find(([id]) => id === tab)
  useTitle(...(known ? [t(known[1])] : []), name, c)
  const [producing, setProducing] = useState(false)
  const polled = usePolled(`${c} ${name}`, (signal) => api.topic(c, name, signal))
  const topic = polled.data
  const locked = isReadOnly(c) || !topic || topic.internal
  const tabs: Tab[] = TABS.map(([id, key]) => ({ id, href: urls.topic(c, name, id), text: t(key) }))
  const then = (action: Promise<boolean>, next: () => void) => void action.then((done) => done && next())
  if (!known) return <NotFoundPage />
  return (
    <>
      <Heading title={name} back={{ href: urls.topics(c), text: t('nav.topics') }}>
        <button type="button" class="button primary" disabled={isReadOnly(c) || !topic} onClick={() => setProducing(true)}>
          {t('topic.produce')}
        </button>
        <Menu
          label={t('table.actions', { name })}
          items={[
            { text: t('topic.edit'), run: () => navigate(`${urls.topic(c, name)}/edit`), disabled: locked },
            { text: t('topic.clear'), run: () => then(clearTopic(c, name), polled.reload), disabled: locked || !canClear(topic) },
            { text: t('topic.recreate'), run: () => then(recreateTopic(c, name), polled.reload), disabled: locked, danger: true },
            { text: t('topic.remove'), run: () => then(removeTopic(c, name), () => navigate(urls.topics(c))), disabled: locked, danger: true },
          ]}
        />
      </Heading>
      <Tabs label={name} tabs={tabs} current={tab} />
      <Loaded {...polled}>{(data) => <TabBody tab={tab} c={c} topic={data} reload={polled.reload} />}</Loaded>
      {producing && topic && <Produce c={c} topic={topic} close={() => setProducing(false)} />}
    </>
  )
}
