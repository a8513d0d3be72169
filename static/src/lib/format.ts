// Numbers, sizes and times as people read them.
import { signal } from '@preact/signals'
import { language } from '../i18n/i18n'
import { recall, remember } from './storage'

export type Zone = 'local' | 'UTC'
export const zone = signal<Zone>(recall('zone') === 'UTC' ? 'UTC' : 'local')
export function setZone(to: Zone): void {
  zone.value = to
  remember('zone', to)
}

export const NONE = '–'

export function count(n: number | null | undefined): string {
  return n === null || n === undefined ? NONE : new Intl.NumberFormat(language.value).format(n)
}

export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined) return NONE
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let unit = 0
  let size = n
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0)} ${units[unit]}`
}

export function duration(ms: number): string {
  if (ms < 1000) return `${ms} ms`
  const units: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ]
  for (const [size, name] of units)
    if (ms >= size) return `${Number((ms / size).toFixed(1))} ${name}`
  return `${ms} ms`
}

// 2026-01-02 03:04:05.678, in the chosen zone: sortable and the same in every language.
export function time(at: string | number | null | undefined): string {
  if (at === null || at === undefined || at === '' || at === -1) return NONE
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return String(at)
  const local = zone.value === 'UTC' ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 23).replace('T', ' ')
}

// Values of settings such as retention.ms or segment.bytes, said in words; null when there is nothing to say.
export function humanSetting(name: string, value: string | null): string | null {
  if (value === null || !/^\d+$/.test(value)) return null
  const n = Number(value)
  if (!Number.isSafeInteger(n) || n < 1000) return null
  if (name.endsWith('.ms')) return duration(n)
  if (name.endsWith('.bytes')) return bytes(n)
  return null
}
