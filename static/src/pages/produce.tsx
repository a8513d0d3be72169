// The drawer that writes one record to a topic. A null key or value is not the same as an empty one.
import { useEffect, useState } from 'preact/hooks'
import { Field, Toggle } from '../components/fields'
import { Icon } from '../components/icon'
import { Modal } from '../components/overlays'
import { Text } from '../components/text'
import { t } from '../i18n/i18n'
import { api, type Serdes, type Topic } from '../lib/api'
import { succeeded } from '../lib/notify'

interface Props {
  c: string
  topic: Topic
  close: () => void
}
interface Header {
  key: string
  value: string
}

interface PartProps {
  label: string
  text: string
  isNull: boolean
  setText: (text: string) => void
  setNull: (on: boolean) => void
  rows: number
}

function Part({ label, text, isNull, setText, setNull, rows }: PartProps) {
  return (
    <Field label={label} aside={<Toggle label="null" checked={isNull} onChange={setNull} />}>
      {(id) => (
        <textarea
          id={id}
          class={isNull ? 'mono null' : 'mono'}
          rows={rows}
          spellcheck={false}
          placeholder={isNull ? 'null' : ''}
          value={isNull ? '' : text}
          onInput={(e) => {
            setText(e.currentTarget.value)
            setNull(false)
          }}
        />
      )}
    </Field>
  )
}

function SerdeSelect({ label, names, value, set }: { label: string; names: string[]; value: string; set: (name: string) => void }) {
  return (
    <Field label={label}>
      {(id) => (
        <select id={id} value={value} onChange={(e) => set(e.currentTarget.value)}>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
    </Field>
  )
}

export function Produce({ c, topic, close }: Props) {
  const [partition, setPartition] = useState('')
  const [key, setKey] = useState('')
  const [value, setValue] = useState('')
  const [keyNull, setKeyNull] = useState(true)
  const [valueNull, setValueNull] = useState(false)
  const [headers, setHeaders] = useState<Header[]>([])
  const [serdes, setSerdes] = useState<Serdes>({ key: [], value: [] })
  const [keySerde, setKeySerde] = useState('String')
  const [valueSerde, setValueSerde] = useState('String')
  const [keep, setKeep] = useState(false)
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)

  useEffect(() => {
    api.serdes(c, topic.name, 'SERIALIZE').then(setSerdes, () => {}) // String is always there
  }, [c, topic.name])

  const setHeader = (i: number, change: Partial<Header>) => setHeaders(headers.map((h, at) => (at === i ? { ...h, ...change } : h)))
  const submit = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError('')
    try {
      const written = await api.produce(c, topic.name, {
        partition: partition === '' ? null : Number(partition),
        key: keyNull ? null : key,
        value: valueNull ? null : value,
        headersList: headers.filter((h) => h.key !== ''),
        keySerde,
        valueSerde,
      })
      succeeded(written ? t('produce.doneAt', { partition: written.partition, offset: written.offset }) : t('produce.done'))
      if (!keep) close()
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure))
    }
    setBusy(false)
  }
  const names = (list: { name: string }[]) => (list.length > 0 ? list.map((s) => s.name) : ['String'])
  return (
    <Modal title={t('topic.produce')} class="drawer" onClose={close}>
      <form class="body" onSubmit={(e) => void submit(e)}>
        <div class="columns three">
          <Field label={t('message.partition')}>
            {(id) => (
              <select id={id} value={partition} onChange={(e) => setPartition(e.currentTarget.value)}>
                <option value="">{t('produce.auto')}</option>
                {topic.partitions.map((p) => (
                  <option key={p.partition} value={p.partition}>
                    {t('message.partitionN', { n: p.partition })}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <SerdeSelect label={t('message.keySerde')} names={names(serdes.key)} value={keySerde} set={setKeySerde} />
          <SerdeSelect label={t('message.valueSerde')} names={names(serdes.value)} value={valueSerde} set={setValueSerde} />
        </div>
        <Part label={t('common.key')} text={key} isNull={keyNull} setText={setKey} setNull={setKeyNull} rows={3} />
        <Part label={t('common.value')} text={value} isNull={valueNull} setText={setValue} setNull={setValueNull} rows={9} />
        <fieldset>
          <legend>{t('message.headers')}</legend>
          {headers.map((h, i) => (
            <div class="pair" key={i}>
              <input aria-label={t('common.key')} value={h.key} onInput={(e) => setHeader(i, { key: e.currentTarget.value })} />
              <input aria-label={t('common.value')} value={h.value} onInput={(e) => setHeader(i, { value: e.currentTarget.value })} />
              <button type="button" class="button quiet" aria-label={t('common.removeRow')} onClick={() => setHeaders(headers.filter((_, at) => at !== i))}>
                <Icon name="close" />
              </button>
            </div>
          ))}
          <button type="button" class="button small" onClick={() => setHeaders([...headers, { key: '', value: '' }])}>
            <Icon name="plus" size={14} /> {t('produce.addHeader')}
          </button>
        </fieldset>
        {error && (
          <p class="banner red" role="alert">
            <Icon name="alert" /> <Text value={error} />
          </p>
        )}
        <div class="buttons">
          <Toggle label={t('produce.keep')} checked={keep} onChange={setKeep} />
          <button type="submit" class="button primary" disabled={busy}>
            {t('topic.produce')}
          </button>
        </div>
      </form>
    </Modal>
  )
}
