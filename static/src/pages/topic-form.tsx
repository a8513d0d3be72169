// A new topic, or a copy of another one with all the settings that it was given.
import { useEffect, useState } from 'preact/hooks'
import { Heading, useTitle } from '../components/basic'
import { Field } from '../components/fields'
import { Icon } from '../components/icon'
import { Text } from '../components/text'
import { t } from '../i18n/i18n'
import { api } from '../lib/api'
import { clusters } from '../lib/clusters'
import { failed, succeeded } from '../lib/notify'
import { navigate, place, type Params } from '../lib/router'
import { urls } from '../lib/urls'

const RETENTIONS: [label: string, ms: number][] = [
  ['1 h', 3_600_000],
  ['12 h', 43_200_000],
  ['1 d', 86_400_000],
  ['2 d', 172_800_000],
  ['7 d', 604_800_000],
  ['4 w', 2_419_200_000],
]
const POLICIES = ['delete', 'compact', 'compact,delete']
const OWN_FIELDS = ['cleanup.policy', 'min.insync.replicas', 'retention.ms', 'retention.bytes', 'max.message.bytes']

interface Form {
  name: string
  partitions: string
  factor: string
  configs: Record<string, string>
  custom: { name: string; value: string }[]
}

const EMPTY: Form = { name: '', partitions: '1', factor: '1', configs: {}, custom: [] }

async function copyOf(c: string, name: string): Promise<Form> {
  const [topic, settings] = await Promise.all([api.topic(c, name), api.topicConfigs(c, name)])
  const form: Form = { ...EMPTY, name: `${name}-copy`, partitions: String(topic.partitionCount), configs: {}, custom: [] }
  for (const s of settings) {
    if (s.source !== 'DYNAMIC_TOPIC_CONFIG' || s.value === null) continue
    if (OWN_FIELDS.includes(s.name)) form.configs[s.name] = s.value
    else form.custom.push({ name: s.name, value: s.value })
  }
  return form
}

function nameProblem(name: string): string | undefined {
  if (name.length > 249) return t('topicForm.nameLong')
  return name !== '' && !/^[A-Za-z0-9._-]+$/.test(name) ? t('topicForm.nameChars') : undefined
}

export default function TopicFormPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  const original = place.value.path.endsWith('/copy') ? place.value.query.get('name') : null
  const title = t(original === null ? 'topicForm.create' : 'topicForm.copy')
  useTitle(title, t('nav.topics'), c)
  const [form, setForm] = useState<Form>(EMPTY)
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const brokers = clusters.value?.find((cluster) => cluster.name === c)?.brokerCount

  useEffect(() => {
    if (original !== null) copyOf(c, original).then(setForm, failed)
  }, [c, original])

  const set = (changes: Partial<Form>) => setForm({ ...form, ...changes })
  const config = (name: string) => form.configs[name] ?? ''
  const setConfig = (name: string, value: string) => set({ configs: { ...form.configs, [name]: value } })
  const setCustom = (i: number, change: Partial<Form['custom'][number]>) =>
    set({ custom: form.custom.map((row, at) => (at === i ? { ...row, ...change } : row)) })
  const nameError = nameProblem(form.name)

  const submit = async (e: Event) => {
    e.preventDefault()
    const own = Object.entries(form.configs).filter(([, value]) => value !== '')
    const custom = form.custom.filter((row) => row.name !== '').map((row) => [row.name, row.value])
    setBusy(true)
    try {
      await api.createTopic(c, {
        name: form.name,
        partitions: Number(form.partitions),
        replicationFactor: Number(form.factor),
        configs: Object.fromEntries([...own, ...custom]) as Record<string, string>,
      })
      succeeded(t('topicForm.created', { name: form.name }))
      navigate(urls.topic(c, form.name))
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure))
      setBusy(false)
    }
  }

  return (
    <>
      <Heading title={title} back={{ href: urls.topics(c), text: t('nav.topics') }} />
      <form class="form" onSubmit={(e) => void submit(e)}>
        <Field label={t('topics.name')} required error={nameError}>
          {(id, note) => (
            <input
              id={id}
              aria-describedby={note}
              aria-invalid={nameError !== undefined}
              required
              autofocus
              autocomplete="off"
              spellcheck={false}
              value={form.name}
              onInput={(e) => set({ name: e.currentTarget.value })}
            />
          )}
        </Field>
        <div class="columns">
          <Field label={t('topicForm.partitions')} required>
            {(id) => (
              <input id={id} type="number" min={1} required value={form.partitions} onInput={(e) => set({ partitions: e.currentTarget.value })} />
            )}
          </Field>
          <Field label={t('topicForm.policy')}>
            {(id) => (
              <select id={id} value={config('cleanup.policy') || 'delete'} onChange={(e) => setConfig('cleanup.policy', e.currentTarget.value)}>
                {POLICIES.map((policy) => (
                  <option key={policy}>{policy}</option>
                ))}
              </select>
            )}
          </Field>
        </div>
        <div class="columns">
          <Field label={t('topicForm.minIsr')}>
            {(id) => (
              <input id={id} type="number" min={1} value={config('min.insync.replicas')} onInput={(e) => setConfig('min.insync.replicas', e.currentTarget.value)} />
            )}
          </Field>
          <Field label={t('topics.factor')} hint={brokers === 1 ? t('topicForm.oneNode') : brokers ? t('topicForm.nodes', { n: brokers }) : undefined}>
            {(id, note) => (
              <input id={id} aria-describedby={note} type="number" min={1} value={form.factor} onInput={(e) => set({ factor: e.currentTarget.value })} />
            )}
          </Field>
        </div>
        <Field label={t('topicForm.retention')}>
          {(id) => (
            <>
              <input id={id} type="number" min={-1} value={config('retention.ms')} onInput={(e) => setConfig('retention.ms', e.currentTarget.value)} />
              <div class="quick">
                {RETENTIONS.map(([label, ms]) => (
                  <button key={label} type="button" class="button small" onClick={() => setConfig('retention.ms', String(ms))}>
                    {label}
                  </button>
                ))}
              </div>
            </>
          )}
        </Field>
        <div class="columns">
          <Field label={t('topicForm.maxSize')} hint={t('topicForm.bytes')}>
            {(id, note) => (
              <input id={id} aria-describedby={note} type="number" min={-1} value={config('retention.bytes')} onInput={(e) => setConfig('retention.bytes', e.currentTarget.value)} />
            )}
          </Field>
          <Field label={t('topicForm.maxMessage')} hint={t('topicForm.bytes')}>
            {(id, note) => (
              <input id={id} aria-describedby={note} type="number" min={0} value={config('max.message.bytes')} onInput={(e) => setConfig('max.message.bytes', e.currentTarget.value)} />
            )}
          </Field>
        </div>
        <fieldset>
          <legend>{t('topicForm.custom')}</legend>
          {form.custom.map((row, i) => (
            <div class="pair" key={i}>
              <input aria-label={t('common.key')} placeholder="segment.bytes" value={row.name} onInput={(e) => setCustom(i, { name: e.currentTarget.value })} />
              <input aria-label={t('common.value')} value={row.value} onInput={(e) => setCustom(i, { value: e.currentTarget.value })} />
              <button type="button" class="button quiet" aria-label={t('common.removeRow')} onClick={() => set({ custom: form.custom.filter((_, at) => at !== i) })}>
                <Icon name="close" />
              </button>
            </div>
          ))}
          <button type="button" class="button small" onClick={() => set({ custom: [...form.custom, { name: '', value: '' }] })}>
            <Icon name="plus" size={14} /> {t('topicForm.addCustom')}
          </button>
        </fieldset>
        {error && (
          <p class="banner red" role="alert">
            <Icon name="alert" /> <Text value={error} />
          </p>
        )}
        <div class="buttons">
          <a class="button" href={urls.topics(c)}>
            {t('common.cancel')}
          </a>
          <button type="submit" class="button primary" disabled={busy || form.name === '' || nameError !== undefined}>
            {t('topicForm.submit')}
          </button>
        </div>
      </form>
    </>
  )
}
