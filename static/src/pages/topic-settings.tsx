import { Loaded } from '../components/basic'
import { SettingsTable } from '../components/settings'
import { api } from '../lib/api'
import { usePolled } from '../lib/polled'

export function TopicSettings({ c, topic }: { c: string; topic: string }) {
  const polled = usePolled(`${c} ${topic}`, (signal) => api.topicConfigs(c, topic, signal), 10_000)
  return <Loaded {...polled}>{(settings) => <SettingsTable settings={settings} last="default" />}</Loaded>
}
