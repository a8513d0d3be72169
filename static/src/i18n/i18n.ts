// The language of the page and its texts: t('key', {name}) reads the current dictionary, and a component that
// calls it is drawn again when the language changes. Names, states and the server's messages are not translated.
import { effect, signal } from '@preact/signals'
import { recall, remember } from '../lib/storage'
import { en, type Key } from './en'
import { ko } from './ko'

export type { Key }
export type Language = 'en' | 'ko'
const dictionaries: Record<Language, Record<Key, string>> = { en, ko }

function initial(): Language {
  const asked = new URLSearchParams(location.search).get('lang') ?? recall('language') ?? navigator.language
  return asked.toLowerCase().startsWith('ko') ? 'ko' : 'en'
}

export const language = signal<Language>(initial())

effect(() => {
  document.documentElement.lang = language.value
})

export function setLanguage(to: Language): void {
  language.value = to
  remember('language', to)
}

export function t(key: Key, values?: Record<string, string | number>): string {
  const text = dictionaries[language.value][key]
  return values ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole)) : text
}
