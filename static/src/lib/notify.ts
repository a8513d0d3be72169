// Short notices at the corner of the page, and the question before something is changed for good.
import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { t } from '../i18n/i18n'

export interface Toast {
  id: number
  kind: 'success' | 'error'
  title: string
  text: string
}
export const toasts = signal<Toast[]>([])
let nextId = 1

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

function show(kind: Toast['kind'], title: string, text: string, ms: number): void {
  const id = nextId++
  toasts.value = [...toasts.value.slice(-4), { id, kind, title, text }]
  window.setTimeout(() => dismiss(id), ms)
}

export function succeeded(text: string): void {
  show('success', t('toast.success'), text, 5000)
}
export function failed(e: unknown): void {
  show('error', t('toast.error'), e instanceof Error ? e.message : String(e), 15_000)
}

// Runs an action and tells how it went.
export async function attempt(action: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await action()
    succeeded(done)
    return true
  } catch (e) {
    failed(e)
    return false
  }
}

export interface Question {
  body: ComponentChildren
  answer: (yes: boolean) => void
}
export const question = signal<Question | null>(null)

export function confirmed(body: ComponentChildren): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = {
      body,
      answer: (yes) => {
        question.value = null
        resolve(yes)
      },
    }
  })
}
