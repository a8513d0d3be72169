// The configuration of a connector, to read and to change. Masked values that are sent back stay as they are.
import { useEffect, useState } from 'preact/hooks'
import { Loading, Problem } from '../components/basic'
import { ConfigEditor, validate } from '../components/config-editor'
import { CopyButton } from '../components/fields'
import { t } from '../i18n/i18n'
import { api, type Connector } from '../lib/api'
import { isReadOnly } from '../lib/clusters'
import { readConfig, writeConfig } from '../lib/connector-config'
import { succeeded } from '../lib/notify'

interface Props {
  c: string
  connector: Connector
  reload: () => void
}

export function ConnectorConfig({ c, connector, reload }: Props) {
  const { connect, name } = connector
  const [stored, setStored] = useState<string>()
  const [text, setText] = useState('')
  const [problems, setProblems] = useState<string[]>([])
  const [error, setError] = useState<Error>()

  useEffect(() => {
    const control = new AbortController()
    api.connectorConfig(c, connect, name, control.signal).then(
      (config) => {
        setStored(writeConfig(config))
        setText(writeConfig(config))
      },
      (e: Error) => !control.signal.aborted && setError(e),
    )
    return () => control.abort()
  }, [c, connect, name])

  const attempt = async (action: (config: Record<string, string | null>) => Promise<string[]>) => {
    try {
      setProblems(await action(readConfig(text).config))
    } catch (e) {
      setProblems([e instanceof Error ? e.message : String(e)])
    }
  }
  const check = () =>
    attempt(async (config) => {
      const found = await validate(c, connect, name, config)
      if (found.length === 0) succeeded(t('config.valid'))
      return found
    })
  const submit = () =>
    attempt(async (config) => {
      const now = writeConfig((await api.putConnectorConfig(c, connect, name, config)).config)
      setStored(now)
      setText(now)
      succeeded(t('config.saved', { name }))
      reload()
      return []
    })
  if (error) return <Problem error={error} />
  if (stored === undefined) return <Loading />
  return (
    <div class="form wide">
      {stored.includes('******') && <p class="banner blue">{t('config.masked')}</p>}
      <ConfigEditor text={text} setText={setText} problems={problems} rows={Math.min(40, stored.split('\n').length + 2)} />
      <div class="buttons">
        <CopyButton text={() => text} label={t('copy.copy')} />
        <button type="button" class="button" onClick={() => void check()}>
          {t('config.validate')}
        </button>
        <button type="button" class="button primary" disabled={text === stored || isReadOnly(c)} onClick={() => void submit()}>
          {t('common.submit')}
        </button>
      </div>
    </div>
  )
}
