// Settings of a topic that can be changed: only what was changed is sent. Partitions can only become more.
import { useEffect, useState } from 'preact/hooks'
import { Heading, Loading, Problem, useTitle } from '../components/basic'
import { Field } from '../components/fields'
import { Icon } from '../components/icon'
import { Text } from '../components/text'
import { t } from '../i18n/i18n'
import { api, type Setting } from '../lib/api'
import { attempt, confirmed, succeeded } from '../lib/notify'
import { navigate, type Params } from '../lib/router'
import { urls } from '../lib/urls'

interface Loaded {
  settings: Setting[]
  partitions: number
}

function Partitions({ c, name, now }: { c: string; name: string; now: number }) {
  const [wanted, setWanted] = useState(String(now))
  const add = async (e: Event) => {
    e.preventDefault()
    const yes = await confirmed(<p>{t('topicEdit.askPartitions', { from: now, to: wanted })}</p>)
    if (yes && (await attempt(() => api.addPartitions(c, name, Number(wanted)), t('topicEdit.partitionsDone', { n: wanted }))))
      navigate(urls.topic(c, name))
  }
  return (
    <form class="form danger-zone" onSubmit={(e) => void add(e)}>
      <h2>{t('topicEdit.danger')}</h2>
      <Field label={t('topicForm.partitions')} hint={t('topicEdit.onlyMore')}>
        {(id, note) => (
          <div class="pair">
            <input id={id} aria-describedby={note} type="number" min={now} value={wanted} onInput={(e) => setWanted(e.currentTarget.value)} />
            <button type="submit" class="button" disabled={Number(wanted) <= now}>
              {t('common.submit')}
            </button>
          </div>
        )}
      </Field>
    </form>
  )
}

export default function TopicEditPage({ params }: { params: Params }) {
  const c = params.c ?? ''
  const name = params.t ?? ''
  useTitle(t('topic.edit'), name, c)
  const [loaded, setLoaded] = useState<Loaded>()
  const [problem, setProblem] = useState<Error>()
  const [changed, setChanged] = useState<Record<string, string>>({})
  const [error, setError] = useState('')

  useEffect(() => {
    Promise.all([api.topicConfigs(c, name), api.topic(c, name)]).then(
      ([settings, topic]) => setLoaded({ settings: settings.filter((s) => !s.isReadOnly), partitions: topic.partitionCount }),
      (e: Error) => setProblem(e),
    )
  }, [c, name])

  const submit = async (e: Event) => {
    e.preventDefault()
    try {
      await api.alterTopic(c, name, changed)
      succeeded(t('topicEdit.done', { name }))
      navigate(urls.topic(c, name, 'settings'))
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure))
    }
  }
  const set = (setting: Setting, value: string) => {
    const rest = Object.fromEntries(Object.entries(changed).filter(([key]) => key !== setting.name))
    setChanged(value === (setting.value ?? '') ? rest : { ...rest, [setting.name]: value })
  }
  if (problem) return <Problem error={problem} />
  return (
    <>
      <Heading title={t('topic.edit')} back={{ href: urls.topic(c, name, 'settings'), text: name }} />
      {loaded ? (
        <>
          <form class="form" onSubmit={(e) => void submit(e)}>
            {loaded.settings.map((s) => (
              <Field key={s.name} label={s.name} hint={s.defaultValue === null || s.defaultValue === undefined ? undefined : t('topicEdit.default', { value: s.defaultValue })}>
                {(id, note) => (
                  <input
                    id={id}
                    aria-describedby={note}
                    autocomplete="off"
                    spellcheck={false}
                    value={changed[s.name] ?? s.value ?? ''}
                    onInput={(e) => set(s, e.currentTarget.value)}
                  />
                )}
              </Field>
            ))}
            {error && (
              <p class="banner red" role="alert">
                <Icon name="alert" /> <Text value={error} />
              </p>
            )}
            <div class="buttons sticky">
              <a class="button" href={urls.topic(c, name, 'settings')}>
                {t('common.cancel')}
              </a>
              <button type="submit" class="button primary" disabled={Object.keys(changed).length === 0}>
                {t('topicEdit.submit')}
              </button>
            </div>
          </form>
          <Partitions c={c} name={name} now={loaded.partitions} />
        </>
      ) : (
        <Loading />
      )}
    </>
  )
}
