// One connector: its state, its tasks with their errors, its configuration, its topics, where it goes on from, how far it is.
import { Heading, Loaded, State, Tabs, Tile, Tiles, useTitle, type Tab } from '../components/basic'
import { NotConnected } from '../components/connector-table'
import { Icon } from '../components/icon'
import { Menu } from '../components/menu'
import { Table } from '../components/table'
import { Text } from '../components/text'
import { Trace } from '../components/trace'
import { t } from '../i18n/i18n'
import { api, type Connector, type Task, type Warning } from '../lib/api'
import { isReadOnly } from '../lib/clusters'
import { connectorActions, connectorRemovals } from '../lib/connector-actions'
import { count, time } from '../lib/format'
import { attempt, confirmed } from '../lib/notify'
import { usePolled } from '../lib/polled'
import { navigate, type Params } from '../lib/router'
import { urls } from '../lib/urls'
import { ConnectorConfig } from './connector-config'
import { ConnectorOffsets } from './connector-offsets'
import { ConnectorProgress } from './connector-progress'
import NotFoundPage from './not-found'

const TABS = [
  ['', 'connector.tasks'],
  ['config', 'connector.config'],
  ['topics', 'common.topics'],
  ['offsets', 'connector.offsets'],
  ['progress', 'connector.progress'],
] as const

interface TabProps {
  c: string
  connector: Connector
  tasks: Task[]
  reload: () => void
}

function TasksTab({ c, connector, tasks, reload }: TabProps) {
  const restart = async (task: number) => {
    if (!(await confirmed(<p>{t('connector.askRestartTask', { id: task })}</p>))) return
    await attempt(() => api.restartTask(c, connector.connect, connector.name, task), t('connector.taskRestarted', { id: task }))
    reload()
  }
  return (
    <>
      <Table
        caption={t('connector.tasks')}
        rows={tasks}
        rowKey={(task) => String(task.id.task)}
        empty={t('connector.noTasks')}
        columns={[
          { id: 'id', head: 'ID', cell: (task) => task.id.task },
          { id: 'worker', head: t('connector.worker'), cell: (task) => <span class="mono">{task.status.workerId ?? '–'}</span> },
          { id: 'state', head: t('common.state'), wide: true, cell: (task) => <State state={task.status.state} /> },
          {
            id: 'menu',
            head: '',
            narrow: true,
            cell: (task) => (
              <Menu
                label={t('table.actions', { name: String(task.id.task) })}
                items={[{ text: t('connector.restartTask'), run: () => void restart(task.id.task), disabled: isReadOnly(c) }]}
              />
            ),
          },
        ]}
      />
      {tasks.map(
        (task) =>
          task.status.trace && (
            <section key={task.id.task} class="failure">
              <h2>{t('connector.taskTrace', { id: task.id.task })}</h2>
              <Trace text={task.status.trace} />
            </section>
          ),
      )}
    </>
  )
}

// What the log says of its tasks: a record that was passed over, a connection that was lost, why a task ended.
function Warnings({ lines }: { lines: Warning[] }) {
  return (
    <section class="recent">
      <h2>{t('connector.warnings')}</h2>
      <Table
        caption={t('connector.warnings')}
        rows={lines}
        rowKey={(line) => `${line.at} ${line.task} ${line.text}`}
        empty=""
        columns={[
          { id: 'at', head: t('connector.warningAt'), narrow: true, cell: (line) => <span class="nowrap">{time(line.at)}</span> },
          { id: 'level', head: t('connector.warningLevel'), narrow: true, cell: (line) => line.level },
          { id: 'task', head: t('connector.warningTask'), narrow: true, cell: (line) => line.task },
          {
            id: 'text',
            head: t('connector.warningText'),
            wide: true,
            cell: (line) => (
              <span class="break">
                <Text value={line.text} />
              </span>
            ),
          },
        ]}
      />
    </section>
  )
}

function TopicsTab({ c, connector }: TabProps) {
  return (
    <Table
      caption={t('common.topics')}
      rows={connector.topics}
      rowKey={(topic) => topic}
      empty={t('connector.noTopics')}
      columns={[
        {
          id: 'name',
          head: t('topics.name'),
          cell: (topic) => (
            <a class="break" href={urls.topic(c, topic)}>
              {topic}
            </a>
          ),
        },
      ]}
    />
  )
}

function TabBody({ tab, ...props }: TabProps & { tab: string }) {
  if (tab === 'config') return <ConnectorConfig {...props} />
  if (tab === 'topics') return <TopicsTab {...props} />
  if (tab === 'offsets') return <ConnectorOffsets {...props} />
  if (tab === 'progress') return <ConnectorProgress {...props} />
  return <TasksTab {...props} />
}

export default function ConnectorPage({ params }: { params: Params }) {
  const { c = '', x = '', n = '', tab = '' } = params
  useTitle(n, t('nav.connect'), c)
  const polled = usePolled(`${c} ${x} ${n}`, async (signal) => {
    const [connector, tasks, warnings] = await Promise.all([api.connector(c, x, n, signal), api.tasks(c, x, n, signal), api.warnings(c, x, n, signal)])
    return { connector, tasks, warnings }
  })
  const reload = polled.reload
  const target = polled.data && { c, connect: x, name: n, status: polled.data.connector.status }
  const readOnly = isReadOnly(c)
  const tabs: Tab[] = TABS.map(([id, key]) => ({ id, href: urls.connector(c, x, n, id), text: t(key) }))
  if (!TABS.some(([id]) => id === tab)) return <NotFoundPage />
  return (
    <>
      <Heading title={n} back={{ href: urls.connect(c, 'connectors'), text: t('nav.connect') }}>
        {target && (
          <>
            <Menu label={t('connector.actions')} class="button primary" items={connectorActions(target, readOnly, reload)}>
              {t('connector.actions')} <Icon name="down" />
            </Menu>
            <Menu
              label={t('table.actions', { name: n })}
              items={connectorRemovals(target, readOnly, reload, () => navigate(urls.connect(c, 'connectors')))}
            />
          </>
        )}
      </Heading>
      <Loaded {...polled}>
        {({ connector, tasks, warnings }) => {
          const failed = tasks.filter((task) => task.status.state === 'FAILED').length
          return (
            <>
              <Tiles>
                <Tile label={t('connector.worker')}>{connector.status.workerId ?? '–'}</Tile>
                <Tile label={t('connect.type')}>{connector.type}</Tile>
                <Tile label={t('connector.class')}>
                  <span title={connector.config['connector.class'] ?? undefined}>{connector.config['connector.class']?.split('.').pop() ?? '–'}</span>
                </Tile>
                <Tile label={t('common.state')}>
                  <span class="tags">
                    <State state={connector.status.state} />
                    <NotConnected state={connector.status.state} since={connector.notConnectedSince} />
                  </span>
                </Tile>
                <Tile label={t('connector.tasksRunning')}>{count(tasks.filter((task) => task.status.state === 'RUNNING').length)}</Tile>
                <Tile label={t('connector.tasksFailed')} alert={failed > 0}>
                  {count(failed)}
                </Tile>
                {connector.consumer && (
                  <Tile label={t('connector.group')}>
                    <a href={urls.group(c, connector.consumer)}>{connector.consumer}</a>
                  </Tile>
                )}
              </Tiles>
              {connector.status.trace && (
                <section class="failure">
                  <h2>{t('connector.trace')}</h2>
                  <Trace text={connector.status.trace} />
                </section>
              )}
              <Tabs label={n} tabs={tabs} current={tab} />
              <TabBody tab={tab} c={c} connector={connector} tasks={tasks} reload={reload} />
              {warnings.length > 0 && tab === '' && <Warnings lines={warnings} />}
            </>
          )
        }}
      </Loaded>
    </>
  )
}
