// Where a connector goes on from: one row for each part of its source, or partition of its topics.
import { Loaded } from '../components/basic'
import { Table } from '../components/table'
import { t } from '../i18n/i18n'
import { api, type Connector } from '../lib/api'
import { usePolled } from '../lib/polled'

export function ConnectorOffsets({ c, connector }: { c: string; connector: Connector }) {
  const { connect, name } = connector
  const polled = usePolled(`${c} ${connect} ${name} offsets`, (signal) => api.connectorOffsets(c, connect, name, signal))
  return (
    <Loaded {...polled}>
      {({ offsets }) => (
        <Table
          caption={t('connector.offsets')}
          rows={offsets}
          rowKey={(row) => JSON.stringify(row.partition)}
          empty={t('connector.noOffsets')}
          columns={[
            { id: 'partition', head: t('connector.partition'), cell: (row) => <span class="mono break">{JSON.stringify(row.partition)}</span> },
            { id: 'offset', head: t('connector.offset'), wide: true, cell: (row) => <span class="mono break">{JSON.stringify(row.offset)}</span> },
          ]}
        />
      )}
    </Loaded>
  )
}
