// Text of anybody's making: hidden and direction-changing characters are shown as escapes.
import { useMemo } from 'preact/hooks'
import { t } from '../i18n/i18n'
import { pieces } from '../lib/visible'

export function Text({ value }: { value: string }) {
  const parts = useMemo(() => pieces(value), [value])
  return (
    <>
      {parts.map((part) =>
        part.hidden ? (
          <span class="escape" title={t('text.hidden')}>
            {part.text}
          </span>
        ) : (
          part.text
        ),
      )}
    </>
  )
}
