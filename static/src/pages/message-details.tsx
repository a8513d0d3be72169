// A record opened: its change, key, value and headers on tabs, and what the broker knows about it beside them.
import { useState } from 'preact/hooks'
import { CopyButton } from '../components/fields'
import { JsonView } from '../components/json-view'
import { Text } from '../components/text'
import { t, type Key } from '../i18n/i18n'
import type { Change } from '../lib/change'
import { saveText } from '../lib/clipboard'
import { bytes, count, NONE, time } from '../lib/format'
import type { Message } from '../lib/stream'
import { ChangeTable } from './message-change'

type Part = 'change' | 'key' | 'value' | 'headers'
const LABELS: Record<Part, Key> = { change: 'message.change', key: 'common.key', value: 'common.value', headers: 'message.headers' }

interface Props {
  message: Message
  change: Change | null
  headers: [string, string | null][]
}

function Payload({ text, name }: { text: string | null; name: string }) {
  const [pretty, setPretty] = useState(true)
  if (text === null) return <p class="empty-note">{t('message.null')}</p>
  if (text === '') return <p class="empty-note">{t('message.emptyText')}</p>
  return (
    <>
      <div class="payload-tools">
        <button type="button" class="button small" aria-pressed={pretty} onClick={() => setPretty(!pretty)}>
          {t(pretty ? 'message.raw' : 'message.pretty')}
        </button>
        <CopyButton text={() => text} label={t('copy.copy')} />
        <button type="button" class="button small" onClick={() => saveText(name, text)}>
          {t('copy.download')}
        </button>
      </div>
      <JsonView value={text} pretty={pretty} />
    </>
  )
}

function Headers({ headers }: { headers: Props['headers'] }) {
  if (headers.length === 0) return <p class="empty-note">{t('message.noHeaders')}</p>
  return (
    <table class="diff">
      <thead>
        <tr>
          <th scope="col">{t('common.key')}</th>
          <th scope="col">{t('common.value')}</th>
        </tr>
      </thead>
      <tbody>
        {headers.map(([name, value], i) => (
          <tr key={i}>
            <th scope="row">
              <Text value={name} />
            </th>
            <td class="cell">{value === null ? <span class="chip">null</span> : <Text value={value} />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export function MessageDetails({ message, change, headers }: Props) {
  const parts: Part[] = change ? ['change', 'key', 'value', 'headers'] : ['key', 'value', 'headers']
  const [part, setPart] = useState<Part>(change ? 'change' : 'value')
  const facts: [Key, string][] = [
    ['message.timestamp', time(message.timestamp)],
    ['message.timestampType', message.timestampType],
    ['message.keySerde', message.keySerde ?? NONE],
    ['message.keySize', bytes(message.keySize)],
    ['message.valueSerde', message.valueSerde ?? NONE],
    ['message.valueSize', bytes(message.valueSize)],
  ]
  const name = `${message.partition}-${message.offset}`
  return (
    <div class="opened">
      <div class="grow">
        <div class="tabs small" role="tablist" aria-label={t('message.details')}>
          {parts.map((id) => (
            <button key={id} type="button" role="tab" aria-selected={id === part} onClick={() => setPart(id)}>
              {t(LABELS[id])}
              {id === 'headers' && headers.length > 0 && <span class="badge">{count(headers.length)}</span>}
            </button>
          ))}
        </div>
        <div role="tabpanel">
          {part === 'change' && change && <ChangeTable change={change} />}
          {part === 'key' && <Payload text={message.key} name={`key-${name}.txt`} />}
          {part === 'value' && <Payload text={message.value} name={`value-${name}.txt`} />}
          {part === 'headers' && <Headers headers={headers} />}
        </div>
      </div>
      <dl class="facts">
        {facts.map(([key, value]) => (
          <div key={key}>
            <dt>{t(key)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
