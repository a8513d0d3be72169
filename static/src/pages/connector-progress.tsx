// What the tasks of a connector tell of themselves: where they are, how far behind, the last event. Names are those of Debezium's JMX attributes.
import { Loaded } from '../components/basic'
import { Table } from '../components/table'
import { t } from '../i18n/i18n'
import { api, type Connector, type Progress } from '../lib/api'
import { usePolled } from '../lib/polled'

interface Row {
  task: number
  context: string
  name: string
  value: string
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '–'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

// "phase" stands by itself; the other members are groups of attributes.
function rowsOf(tasks: Progress[]): Row[] {
  return tasks.flatMap(({ task, ...members }) =>
    Object.entries(members).flatMap(([context, v]) =>
      typeof v === 'object' && v !== null
        ? Object.entries(v).map(([name, value]) => ({ task, context, name, value: shown(value) }))
        : [{ task, context: '', name: context, value: shown(v) }],
    ),
  )
}

export function ConnectorProgress({ c, connector }: { c: string; connector: Connector }) {
  const { connect, name } = connector
  const polled = usePolled(`${c} ${connect} ${name} progress`, (signal) => api.connectorProgress(c, connect, name, signal))
  return (
    <Loaded {...polled}>
      {(tasks) => (
        <Table
          caption={t('connector.progress')}
          rows={rowsOf(tasks)}
          rowKey={(row) => `${row.task} ${row.context} ${row.name}`}
          empty={t('connector.noProgress')}
          columns={[
            { id: 'task', head: t('connector.warningTask'), cell: (row) => row.task },
            { id: 'context', head: t('connector.progressOf'), cell: (row) => row.context },
            { id: 'name', head: t('connector.progressName'), cell: (row) => row.name },
            { id: 'value', head: t('connector.progressValue'), wide: true, cell: (row) => <span class="mono break">{row.value}</span> },
          ]}
        />
      )}
    </Loaded>
  )
}
