// Small pieces that every page uses: headings, tags, tiles, placeholders, tabs.
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { t } from '../i18n/i18n'
import { ApiError } from '../lib/http'
import { Icon } from './icon'
import { Text } from './text'

interface HeadingProps {
  title: string
  back?: { href: string; text: string }
  children?: ComponentChildren
}

export function Heading({ title, back, children }: HeadingProps) {
  return (
    <div class="heading">
      <h1>
        {back && (
          <>
            <a href={back.href}>{back.text}</a>
            <span class="slash" aria-hidden="true">
              /
            </span>
          </>
        )}
        <bdi>
          <Text value={title} />
        </bdi>
      </h1>
      <div class="actions">{children}</div>
    </div>
  )
}

export function useTitle(...parts: string[]): void {
  const title = [...parts, 'weir'].join(' | ')
  useEffect(() => {
    document.title = title
  }, [title])
}

export type Tone = 'green' | 'red' | 'yellow' | 'grey' | 'blue' | 'violet'

export function Tag({ tone, title, children }: { tone: Tone; title?: string; children: ComponentChildren }) {
  return (
    <span class={`tag ${tone}`} title={title}>
      {children}
    </span>
  )
}

const TONES: Record<string, Tone> = {
  RUNNING: 'green',
  STABLE: 'green',
  ONLINE: 'green',
  FAILED: 'red',
  TASK_FAILED: 'red',
  DEAD: 'red',
  OFFLINE: 'red',
  EMPTY: 'grey',
  STOPPED: 'grey',
}

export function State({ state }: { state: string }) {
  return <Tag tone={TONES[state] ?? 'yellow'}>{state}</Tag>
}

export function Tiles({ children }: { children: ComponentChildren }) {
  return <dl class="tiles">{children}</dl>
}

interface TileProps {
  label: string
  alert?: boolean
  children: ComponentChildren
}

export function Tile({ label, alert, children }: TileProps) {
  return (
    <div class={alert ? 'tile alert' : 'tile'}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  )
}

export interface Tab {
  id: string
  href: string
  text: string
}

export function Tabs({ label, tabs, current }: { label: string; tabs: Tab[]; current: string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.id} href={tab.href} aria-current={tab.id === current ? 'page' : undefined}>
          {tab.text}
        </a>
      ))}
    </nav>
  )
}

export function Loading() {
  return (
    <div class="loading" role="status">
      <span class="spinner" aria-hidden="true" />
      {t('common.loading')}
    </div>
  )
}

// What went wrong, in the server's words, with a way to try again.
export function Problem({ error, retry }: { error: Error; retry?: () => void }) {
  const missing = error instanceof ApiError && error.status === 404
  return (
    <div class="problem" role="alert">
      <Icon name="broken" size={44} />
      <h2>{t(missing ? 'error.missing' : 'error.title')}</h2>
      <p class="message">
        <Text value={error.message} />
      </p>
      {retry && (
        <button type="button" class="button" onClick={retry}>
          {t('common.refresh')}
        </button>
      )}
    </div>
  )
}

interface LoadedProps<T> {
  data: T | undefined
  error: Error | undefined
  reload: () => void
  children: (data: T) => ComponentChildren
}

// Data of usePolled: a notice while there is none, and above it once refreshing fails.
export function Loaded<T>({ data, error, reload, children }: LoadedProps<T>) {
  if (data === undefined) return error ? <Problem error={error} retry={reload} /> : <Loading />
  if (error instanceof ApiError && error.status === 404) return <Problem error={error} retry={reload} />
  return (
    <>
      {error && (
        <p class="banner red" role="alert">
          <Icon name="alert" /> <Text value={error.message} />
        </p>
      )}
      {children(data)}
    </>
  )
}
