// What lies above the page: the question dialog, the notices, and drawers from the right side.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { t } from '../i18n/i18n'
import { dismiss, question, toasts } from '../lib/notify'
import { Icon } from './icon'
import { Text } from './text'

interface ModalProps {
  title: string
  class: 'dialog' | 'drawer'
  onClose: () => void
  children: ComponentChildren
}

// The browser's own dialog: it traps the focus, closes with Escape and gives the focus back.
export function Modal({ title, class: className, onClose, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const back = document.activeElement as HTMLElement | null
    dialog.current?.showModal()
    return () => back?.focus()
  }, [])
  return (
    <dialog
      ref={dialog}
      class={className}
      aria-label={title}
      onCancel={(e) => {
        e.preventDefault()
        onClose()
      }}
      onPointerDown={(e) => {
        if (e.target === dialog.current && className === 'drawer') onClose()
      }}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" class="button quiet" aria-label={t('common.close')} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  )
}

export function QuestionDialog() {
  const asked = question.value
  if (!asked) return null
  return (
    <Modal title={t('confirm.title')} class="dialog" onClose={() => asked.answer(false)}>
      <div class="body">{asked.body}</div>
      <footer>
        <button type="button" class="button" onClick={() => asked.answer(false)}>
          {t('common.cancel')}
        </button>
        <button type="button" class="button danger" onClick={() => asked.answer(true)}>
          {t('confirm.yes')}
        </button>
      </footer>
    </Modal>
  )
}

export function Toasts() {
  return (
    <div class="toasts">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.kind}`} role={toast.kind === 'error' ? 'alert' : 'status'}>
          <Icon name={toast.kind === 'error' ? 'alert' : 'check'} size={20} />
          <div>
            <strong>{toast.title}</strong>
            <p>
              <Text value={toast.text} />
            </p>
          </div>
          <button type="button" class="button quiet" aria-label={t('common.close')} onClick={() => dismiss(toast.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  )
}
