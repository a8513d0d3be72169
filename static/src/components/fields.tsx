// Parts of forms: a label above its control with a hint and an error below.
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { t } from '../i18n/i18n'
import { copyText } from '../lib/clipboard'
import { failed, succeeded } from '../lib/notify'
import { Icon } from './icon'

interface FieldProps {
  label: string
  hint?: ComponentChildren
  error?: string
  required?: boolean
  aside?: ComponentChildren // beside the label
  children: (id: string, describedBy: string | undefined) => ComponentChildren
}

export function Field({ label, hint, error, required, aside, children }: FieldProps) {
  const id = useId()
  const note = error ?? hint
  const noteId = note ? `${id}-note` : undefined
  return (
    <div class={error ? 'field wrong' : 'field'}>
      <div class="label">
        <label for={id}>
          {label}
          {required && <span aria-hidden="true"> *</span>}
        </label>
        {aside}
      </div>
      {children(id, noteId)}
      {note && (
        <p id={noteId} class="note">
          {note}
        </p>
      )}
    </div>
  )
}

interface ToggleProps {
  label: string
  checked: boolean
  onChange: (on: boolean) => void
}

export function Toggle({ label, checked, onChange }: ToggleProps) {
  return (
    <label class="toggle">
      <input type="checkbox" role="switch" checked={checked} onChange={(e) => onChange(e.currentTarget.checked)} />
      <span class="track" aria-hidden="true" />
      {label}
    </label>
  )
}

export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const copy = async () => {
    if (await copyText(text())) succeeded(t('copy.done'))
    else failed(t('copy.failed'))
  }
  return (
    <button type="button" class="button small" onClick={() => void copy()}>
      <Icon name="copy" size={14} />
      {label}
    </button>
  )
}
