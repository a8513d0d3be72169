// A list of settings: name, value (said in words when it is a time or a size), default or source.
import { t } from '../i18n/i18n'
import type { Setting } from '../lib/api'
import { humanSetting, NONE } from '../lib/format'
import { place } from '../lib/router'
import { Search } from './search'
import { Table, type Column } from './table'
import { Text } from './text'

function Value({ name, value, sensitive }: { name: string; value: string | null | undefined; sensitive: boolean }) {
  if (sensitive) return <>{'*'.repeat(10)}</>
  if (value === null || value === undefined) return <>{NONE}</>
  const human = humanSetting(name, value)
  return (
    <span class="break" title={human ? value : undefined}>
      <Text value={human ?? value} />
    </span>
  )
}

const isDefault = (s: Setting) => s.source === 'DEFAULT_CONFIG' || (s.defaultValue !== undefined && s.value === s.defaultValue)

export function SettingsTable({ settings, last }: { settings: Setting[]; last: 'default' | 'source' }) {
  const wanted = (place.value.query.get('q') ?? '').toLowerCase()
  const rows = settings
    .filter((s) => s.name.toLowerCase().includes(wanted) || (!s.isSensitive && s.value?.toLowerCase().includes(wanted)))
    .sort((a, b) => Number(isDefault(a)) - Number(isDefault(b)) || (a.name < b.name ? -1 : 1))
  const columns: Column<Setting>[] = [
    { id: 'key', head: t('common.key'), cell: (s) => <span class={isDefault(s) ? 'mono' : 'mono strong'} title={s.doc ?? undefined}>{s.name}</span> },
    {
      id: 'value',
      head: t('common.value'),
      wide: true,
      cell: (s) => (
        <span class={isDefault(s) ? '' : 'strong'}>
          <Value name={s.name} value={s.value} sensitive={s.isSensitive} />
        </span>
      ),
    },
    last === 'default'
      ? { id: 'default', head: t('settings.default'), cell: (s) => <span class="muted"><Value name={s.name} value={s.defaultValue} sensitive={s.isSensitive} /></span> }
      : { id: 'source', head: t('settings.source'), cell: (s) => <span class="muted small">{s.source}</span> },
  ]
  return (
    <>
      <div class="tools">
        <Search label={t('settings.search')} />
      </div>
      <Table caption={t('settings.caption')} rows={rows} columns={columns} rowKey={(s) => s.name} empty={t('settings.empty')} />
    </>
  )
}
