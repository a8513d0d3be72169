import { Loaded } from '../components/basic'
import { ConnectorTable } from '../components/connector-table'
import { api } from '../lib/api'
import { usePolled } from '../lib/polled'

export function TopicConnectors({ c, topic }: { c: string; topic: string }) {
  const polled = usePolled(`${c} ${topic}`, (signal) => api.topicConnectors(c, topic, signal))
  return <Loaded {...polled}>{(rows) => <ConnectorTable c={c} rows={rows} reload={polled.reload} withTopics={false} />}</Loaded>
}
