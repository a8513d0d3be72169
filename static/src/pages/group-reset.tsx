// Moving a group's committed offsets: to an end of the partitions, to a time, or to given offsets.
import { useState } from 'preact/hooks'
import { Heading, Loaded, useTitle } from '../components/basic'
import { Field } from '../components/fields'
import { Icon } from '../components/icon'
import { Text } from '../components/text'
import { t } from '../i18n/i18n'
import { api, type GroupDetails, type ResetType } from '../lib/api'
import { count } from '../lib/format'
import { succeeded } from '../lib/notify'
import { usePolled } from '../lib/polled'
import { navigate, type Params } from '../lib/router'
import { urls } from '../lib/urls'

const TYPES: ResetType[] = ['EARLIEST', 'LATEST', 'TIMESTAMP', 'OFFSET']

function ResetForm({ c, group }: { c: string; group: GroupDetails }) {
  const topics = [...new Set(group.partitions.map((p) => p.topic))].sort()
  const [topic, setTopic] = useState(topics[0] ?? '')
  const [type, setType] = useState<ResetType>('EARLIEST')
  const [when, setWhen] = useState('')
  const [left, setLeft] = useState<ReadonlySet<number>>(new Set()) // partitions that stay as they are
  const [offsets, setOffsets] = useState<Record<number, string>>({})
  const [error, setError] = useState('')
  const rows = group.partitions.filter((p) => p.topic === topic).sort((a, b) => a.partition - b.partition)
  const chosen = rows.filter((p) => !left.has(p.partition))

  const submit = async (e: Event) => {
    e.preventDefault()
    try {
      await api.resetGroup(c, group.groupId, {
        topic,
        resetType: type,
        partitions: chosen.map((p) => p.partition),
        ...(type === 'TIMESTAMP' && { resetToTimestamp: new Date(when).getTime() }),
        ...(type === 'OFFSET' && {
          partitionsOffsets: chosen.map((p) => ({ partition: p.partition, offset: Number(offsets[p.partition] ?? p.currentOffset ?? 0) })),
        }),
      })
      succeeded(t('reset.done', { id: group.groupId }))
      navigate(urls.group(c, group.groupId))
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure))
    }
  }
  const toggle = (partition: number, on: boolean) => {
    const next = new Set(left)
    if (on) next.delete(partition)
    else next.add(partition)
    setLeft(next)
  }
  return (
    <form class="form" onSubmit={(e) => void submit(e)}>
      {group.members > 0 && (
        <p class="banner yellow" role="alert">
          <Icon name="alert" /> {t('reset.active', { n: group.members })}
        </p>
      )}
      <div class="columns">
        <Field label={t('reset.topic')}>
          {(id) => (
            <select id={id} value={topic} onChange={(e) => setTopic(e.currentTarget.value)}>
              {topics.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('reset.type')}>
          {(id) => (
            <select id={id} value={type} onChange={(e) => setType(e.currentTarget.value as ResetType)}>
              {TYPES.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
      </div>
      {type === 'TIMESTAMP' && (
        <Field label={t('message.timestamp')} required>
          {(id) => <input id={id} type="datetime-local" step="0.001" required value={when} onInput={(e) => setWhen(e.currentTarget.value)} />}
        </Field>
      )}
      <fieldset>
        <legend>{t('common.partitions')}</legend>
        {rows.map((p) => (
          <div class="pair" key={p.partition}>
            <label class="inline grow">
              <input type="checkbox" checked={!left.has(p.partition)} onChange={(e) => toggle(p.partition, e.currentTarget.checked)} />
              {t('message.partitionN', { n: p.partition })}
              <span class="muted">{t('reset.now', { current: count(p.currentOffset), end: count(p.endOffset) })}</span>
            </label>
            {type === 'OFFSET' && (
              <input
                type="number"
                min={0}
                aria-label={t('reset.offset', { n: p.partition })}
                value={offsets[p.partition] ?? String(p.currentOffset ?? 0)}
                onInput={(e) => setOffsets({ ...offsets, [p.partition]: e.currentTarget.value })}
              />
            )}
          </div>
        ))}
      </fieldset>
      {error && (
        <p class="banner red" role="alert">
          <Icon name="alert" /> <Text value={error} />
        </p>
      )}
      <div class="buttons">
        <a class="button" href={urls.group(c, group.groupId)}>
          {t('common.cancel')}
        </a>
        <button type="submit" class="button primary" disabled={chosen.length === 0 || (type === 'TIMESTAMP' && when === '')}>
          {t('reset.submit')}
        </button>
      </div>
    </form>
  )
}

export default function GroupResetPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  const id = params.g ?? ''
  useTitle(t('groups.reset'), id, c)
  const polled = usePolled(`${c} ${id}`, (signal) => api.group(c, id, signal))
  return (
    <>
      <Heading title={t('groups.reset')} back={{ href: urls.group(c, id), text: id }} />
      <Loaded {...polled}>{(group) => <ResetForm c={c} group={group} />}</Loaded>
    </>
  )
}
