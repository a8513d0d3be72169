// The JSON of a connector's configuration, with what is wrong with it below.
import { t } from '../i18n/i18n'
import { api } from '../lib/api'
import { Field } from './fields'
import { Icon } from './icon'
import { Text } from './text'

interface Props {
  text: string
  setText: (text: string) => void
  problems: string[]
  rows?: number
}

export function ConfigEditor({ text, setText, problems, rows = 18 }: Props) {
  return (
    <>
      <Field label={t('connector.config')} required>
        {(id) => (
          <textarea id={id} class="mono editor" rows={rows} spellcheck={false} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        )}
      </Field>
      {problems.length > 0 && (
        <div class="banner red" role="alert">
          <Icon name="alert" />
          <ul>
            {problems.map((problem, i) => (
              <li key={i}>
                <Text value={problem} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  )
}

// What the worker says about a configuration, one line for each complaint.
export async function validate(c: string, connect: string, name: string, config: Record<string, string | null>): Promise<string[]> {
  const plugin = config['connector.class']
  if (!plugin) return [t('config.noClass')]
  const answer = await api.validate(c, connect, plugin, { name, ...config })
  return answer.configs.flatMap((entry) => entry.value.errors.map((text) => `${entry.value.name}: ${text}`))
}
