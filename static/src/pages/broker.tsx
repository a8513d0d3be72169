import { Heading, Loaded, useTitle } from '../components/basic'
import { SettingsTable } from '../components/settings'
import { t } from '../i18n/i18n'
import { api } from '../lib/api'
import { usePolled } from '../lib/polled'
import type { Params } from '../lib/router'
import { urls } from '../lib/urls'

export default function BrokerPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  const id = params.id ?? ''
  useTitle(id, t('nav.brokers'), c)
  const configs = usePolled(`${c} ${id}`, (signal) => api.brokerConfigs(c, Number(id), signal), 10_000)
  return (
    <>
      <Heading title={t('brokers.one', { id })} back={{ href: urls.brokers(c), text: t('nav.brokers') }} />
      <Loaded {...configs}>{(settings) => <SettingsTable settings={settings} last="source" />}</Loaded>
    </>
  )
}
