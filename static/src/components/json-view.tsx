// A text as it is, laid out and coloured when it is JSON. Digits, escapes and order stay as written. Long texts
// begin with a part; the rest is one click away.
import { useMemo, useState } from 'preact/hooks'
import { t } from '../i18n/i18n'
import { bytes } from '../lib/format'
import { layout, parse, type Token } from '../lib/json'
import { Text } from './text'

const FIRST = 64 * 1024

export function Tokens({ tokens }: { tokens: Token[] }) {
  return (
    <>
      {tokens.map((token) =>
        token.kind === 'plain' ? (
          token.text
        ) : (
          <span class={`json-${token.kind}`}>
            <Text value={token.text} />
          </span>
        ),
      )}
    </>
  )
}

export function JsonView({ value, pretty }: { value: string; pretty: boolean }) {
  const [all, setAll] = useState(false)
  const tokens = useMemo(() => {
    const node = pretty && value.length <= 8 * FIRST * 16 ? parse(value) : null
    return node ? layout(node) : null
  }, [value, pretty])
  const whole = useMemo(() => (tokens ? tokens.map((token) => token.text).join('') : value), [tokens, value])
  const short = whole.length <= FIRST
  return (
    <div class="code-box">
      <pre class="code" tabIndex={0} dir="ltr">
        {short && tokens ? <Tokens tokens={tokens} /> : <Text value={all || short ? whole : whole.slice(0, FIRST)} />}
      </pre>
      {!short && !all && (
        <p class="more">
          {t('json.cut', { shown: bytes(FIRST), size: bytes(whole.length) })}{' '}
          <button type="button" class="link" onClick={() => setAll(true)}>
            {t('json.all')}
          </button>
        </p>
      )}
    </div>
  )
}
