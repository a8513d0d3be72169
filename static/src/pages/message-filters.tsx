// Which records to read: from where, from which partitions, holding which text. All of it is in the URL.
import { useEffect, useState } from 'preact/hooks'
import { Search } from '../components/search'
import { t, type Key } from '../i18n/i18n'
import { api, type Serdes, type Topic } from '../lib/api'
import { place, setQuery } from '../lib/router'

const MODES: [mode: string, text: Key][] = [
  ['LATEST', 'mode.newest'],
  ['EARLIEST', 'mode.oldest'],
  ['TAILING', 'mode.live'],
  ['FROM_OFFSET', 'mode.fromOffset'],
  ['TO_OFFSET', 'mode.toOffset'],
  ['FROM_TIMESTAMP', 'mode.since'],
  ['TO_TIMESTAMP', 'mode.until'],
]
const LIMITS = ['25', '50', '100', '200', '500']

function choose(changes: Record<string, string | null>): void {
  setQuery({ ...changes, cursor: null }, false)
}

function localInput(ms: string | null): string {
  if (ms === null || !/^\d+$/.test(ms)) return ''
  const at = new Date(Number(ms))
  return Number.isNaN(at.getTime()) ? '' : new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 23)
}

function chooseMode(mode: string): void {
  choose({
    mode,
    offset: mode.endsWith('_OFFSET') ? (place.value.query.get('offset') ?? '0') : null,
    timestamp: mode.endsWith('_TIMESTAMP') ? (place.value.query.get('timestamp') ?? String(Date.now() - 3_600_000)) : null,
  })
}

function Partitions({ topic }: { topic: Topic }) {
  const chosen = (place.value.query.get('partitions') ?? '').split(',').filter((id) => id !== '')
  const toggle = (id: string, on: boolean) => {
    const next = on ? [...chosen, id] : chosen.filter((other) => other !== id)
    choose({ partitions: next.sort((a, b) => Number(a) - Number(b)).join(',') })
  }
  return (
    <details class="dropdown">
      <summary>{chosen.length === 0 ? t('messages.allPartitions') : t('messages.partitions', { list: chosen.join(', ') })}</summary>
      <div class="dropdown-list">
        {topic.partitions.map((p) => (
          <label key={p.partition} class="inline">
            <input type="checkbox" checked={chosen.includes(String(p.partition))} onChange={(e) => toggle(String(p.partition), e.currentTarget.checked)} />
            {t('message.partitionN', { n: p.partition })}
          </label>
        ))}
        {chosen.length > 0 && (
          <button type="button" class="button small" onClick={() => choose({ partitions: null })}>
            {t('messages.allPartitions')}
          </button>
        )}
      </div>
    </details>
  )
}

function SerdeChoice({ name, label, serdes }: { name: 'keySerde' | 'valueSerde'; label: string; serdes: string[] }) {
  return (
    <select aria-label={label} title={label} value={place.value.query.get(name) ?? serdes[0]} onChange={(e) => choose({ [name]: e.currentTarget.value })}>
      {serdes.map((serde) => (
        <option key={serde} value={serde}>
          {`${label}: ${serde}`}
        </option>
      ))}
    </select>
  )
}

export function MessageFilters({ c, topic }: { c: string; topic: Topic }) {
  const [serdes, setSerdes] = useState<Serdes>({ key: [], value: [] })
  const query = place.value.query
  const mode = query.get('mode') ?? 'LATEST'
  useEffect(() => {
    api.serdes(c, topic.name, 'DESERIALIZE').then(setSerdes, () => {}) // without the list the server chooses
  }, [c, topic.name])
  const names = (list: { name: string }[]) => (list.length > 0 ? list.map((s) => s.name) : ['String'])
  return (
    <div class="tools filters">
      <select aria-label={t('messages.mode')} value={mode} onChange={(e) => chooseMode(e.currentTarget.value)}>
        {MODES.map(([id, key]) => (
          <option key={id} value={id}>
            {t(key)}
          </option>
        ))}
      </select>
      {mode.endsWith('_OFFSET') && (
        <input
          type="number"
          min={0}
          aria-label={t('message.offset')}
          value={query.get('offset') ?? '0'}
          onChange={(e) => choose({ offset: e.currentTarget.value })}
        />
      )}
      {mode.endsWith('_TIMESTAMP') && (
        <input
          type="datetime-local"
          step="0.001"
          aria-label={t('message.timestamp')}
          value={localInput(query.get('timestamp'))}
          onChange={(e) => {
            const at = new Date(e.currentTarget.value).getTime()
            if (!Number.isNaN(at)) choose({ timestamp: String(at) })
          }}
        />
      )}
      <Partitions topic={topic} />
      <SerdeChoice name="keySerde" label={t('message.keySerde')} serdes={names(serdes.key)} />
      <SerdeChoice name="valueSerde" label={t('message.valueSerde')} serdes={names(serdes.value)} />
      {mode !== 'TAILING' && (
        <select aria-label={t('messages.limit')} value={query.get('limit') ?? '100'} onChange={(e) => choose({ limit: e.currentTarget.value })}>
          {LIMITS.map((n) => (
            <option key={n} value={n}>
              {t('messages.perPage', { n })}
            </option>
          ))}
        </select>
      )}
      <Search label={t('messages.filter')} name="stringFilter" />
    </div>
  )
}
