// Light, dark, or as the system says.
import { signal } from '@preact/signals'
import { recall, remember } from './storage'

export type Theme = 'auto' | 'light' | 'dark'
const stored = recall('theme')
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto')

export function setTheme(to: Theme): void {
  theme.value = to
  remember('theme', to === 'auto' ? null : to)
  if (to === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = to
}
