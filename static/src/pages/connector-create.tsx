// A new connector from its JSON: a flat object, or {"name", "config"} as it stands in tutorials.
import { useState } from 'preact/hooks'
import { Heading, Loaded, useTitle } from '../components/basic'
import { ConfigEditor, validate } from '../components/config-editor'
import { Field } from '../components/fields'
import { t } from '../i18n/i18n'
import { api } from '../lib/api'
import { readConfig, type Pasted } from '../lib/connector-config'
import { succeeded } from '../lib/notify'
import { usePolled } from '../lib/polled'
import { navigate, type Params } from '../lib/router'
import { urls } from '../lib/urls'

function template(plugin: string): string {
  return JSON.stringify({ 'connector.class': plugin, 'tasks.max': '1' }, null, 2)
}

function CreateForm({ c, connects }: { c: string; connects: string[] }) {
  const [connect, setConnect] = useState(connects[0] ?? '')
  const [name, setName] = useState('')
  const [text, setText] = useState('')
  const [problems, setProblems] = useState<string[]>([])
  const [busy, setBusy] = useState(false)
  const plugins = usePolled(`${c} ${connect}`, (signal) => api.plugins(c, connect, signal), 0)

  const attempt = async (action: (pasted: Pasted & { name: string }) => Promise<string[]>) => {
    setBusy(true)
    try {
      const pasted = readConfig(text)
      const chosen = name || pasted.name
      setProblems(chosen ? await action({ ...pasted, name: chosen }) : [t('config.noName')])
    } catch (e) {
      setProblems([e instanceof Error ? e.message : String(e)])
    }
    setBusy(false)
  }
  const check = () =>
    attempt(async (pasted) => {
      const found = await validate(c, connect, pasted.name, pasted.config)
      if (found.length === 0) succeeded(t('config.valid'))
      return found
    })
  const create = () =>
    attempt(async (pasted) => {
      await api.createConnector(c, connect, pasted.name, pasted.config)
      succeeded(t('connect.created', { name: pasted.name }))
      navigate(urls.connector(c, connect, pasted.name))
      return []
    })
  return (
    <form
      class="form wide"
      onSubmit={(e) => {
        e.preventDefault()
        void create()
      }}
    >
      {connects.length > 1 && (
        <Field label={t('connect.connect')}>
          {(id) => (
            <select id={id} value={connect} onChange={(e) => setConnect(e.currentTarget.value)}>
              {connects.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          )}
        </Field>
      )}
      <div class="columns">
        <Field label={t('common.name')} hint={t('connect.nameHint')}>
          {(id, note) => (
            <input id={id} aria-describedby={note} autofocus autocomplete="off" spellcheck={false} value={name} onInput={(e) => setName(e.currentTarget.value)} />
          )}
        </Field>
        <Field label={t('connect.plugins')} hint={t('connect.pluginsHint')}>
          {(id, note) => (
            <select
              id={id}
              aria-describedby={note}
              value=""
              onChange={(e) => {
                if (text.trim() === '') setText(template(e.currentTarget.value))
                else setProblems([t('connect.notEmpty')])
                e.currentTarget.value = ''
              }}
            >
              <option value="">{t('connect.choose')}</option>
              {plugins.data?.map((plugin) => (
                <option key={plugin.class} value={plugin.class}>
                  {plugin.class}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <ConfigEditor text={text} setText={setText} problems={problems} />
      <div class="buttons">
        <a class="button" href={urls.connect(c, 'connectors')}>
          {t('common.cancel')}
        </a>
        <button type="button" class="button" disabled={busy || text.trim() === ''} onClick={() => void check()}>
          {t('config.validate')}
        </button>
        <button type="submit" class="button primary" disabled={busy || text.trim() === ''}>
          {t('common.submit')}
        </button>
      </div>
    </form>
  )
}

export default function ConnectorCreatePage({ params }: { params: Params }) {
  const c = params.c ?? ''
  useTitle(t('connect.create'), t('nav.connect'), c)
  const polled = usePolled(c, (signal) => api.connects(c, signal), 0)
  return (
    <>
      <Heading title={t('connect.create')} back={{ href: urls.connect(c, 'connectors'), text: t('nav.connect') }} />
      <Loaded {...polled}>{(connects) => <CreateForm c={c} connects={connects.map((x) => x.name)} />}</Loaded>
    </>
  )
}
