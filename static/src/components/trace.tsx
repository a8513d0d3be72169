// An error trace in full: the cause stands out; the stack below it unfolds; all of it can be copied.
import { t } from '../i18n/i18n'
import { told } from '../lib/trace'
import { CopyButton } from './fields'
import { Text } from './text'

export function Trace({ text }: { text: string }) {
  const { first, rest } = told(text)
  return (
    <div class="trace">
      <div class="trace-head">
        <strong>
          <Text value={first} />
        </strong>
        <CopyButton text={() => text} label={t('copy.trace')} />
      </div>
      {rest.trim() !== '' && (
        <details open>
          <summary>{t('connector.stack')}</summary>
          <pre class="code" tabIndex={0} dir="ltr">
            <Text value={rest} />
          </pre>
        </details>
      )}
    </div>
  )
}
