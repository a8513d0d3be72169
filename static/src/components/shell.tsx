// The frame around every page: top bar with language, time zone and theme, side navigation, notices.
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { language, setLanguage, t, type Key, type Language } from '../i18n/i18n'
import { clusters, clustersError, version } from '../lib/clusters'
import { setZone, zone, type Zone } from '../lib/format'
import { place } from '../lib/router'
import { setTheme, theme, type Theme } from '../lib/theme'
import { urls } from '../lib/urls'
import { Icon } from './icon'
import { QuestionDialog, Toasts } from './overlays'

const THEMES: [Theme, Key][] = [
  ['auto', 'theme.auto'],
  ['light', 'theme.light'],
  ['dark', 'theme.dark'],
]

function Preferences() {
  return (
    <div class="preferences">
      <select aria-label={t('bar.zone')} value={zone.value} onChange={(e) => setZone(e.currentTarget.value as Zone)}>
        <option value="local">{t('zone.local')}</option>
        <option value="UTC">UTC</option>
      </select>
      <select aria-label={t('bar.theme')} value={theme.value} onChange={(e) => setTheme(e.currentTarget.value as Theme)}>
        {THEMES.map(([id, key]) => (
          <option key={id} value={id}>
            {t(key)}
          </option>
        ))}
      </select>
      <select aria-label={t('bar.language')} value={language.value} onChange={(e) => setLanguage(e.currentTarget.value as Language)}>
        <option value="en">English</option>
        <option value="ko" lang="ko">
          한국어
        </option>
      </select>
    </div>
  )
}

const SECTIONS: { key: Key; href: (c: string) => string; part: string[]; feature?: string }[] = [
  { key: 'nav.brokers', href: urls.brokers, part: ['brokers'] },
  { key: 'nav.topics', href: urls.topics, part: ['all-topics'] },
  { key: 'nav.consumers', href: urls.groups, part: ['consumer-groups'] },
  { key: 'nav.connect', href: urls.connect, part: ['kafka-connect', 'connects', 'create-new'], feature: 'KAFKA_CONNECT' },
]

function ClusterLinks({ name, online, features }: { name: string; online: boolean; features: string[] }) {
  const [open, setOpen] = useState(true)
  const parts = place.value.path.split('/')
  const section = parts[2] === encodeURIComponent(name) ? parts[3] : undefined
  return (
    <li class="cluster">
      <button type="button" class="cluster-name" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class={online ? 'dot green' : 'dot red'} role="img" aria-label={t(online ? 'cluster.online' : 'cluster.offline')} />
        <span class="grow">{name}</span>
        <span class={open ? 'chevron open' : 'chevron'}>
          <Icon name="right" size={14} />
        </span>
      </button>
      {open && (
        <ul>
          {SECTIONS.filter((s) => s.feature === undefined || features.includes(s.feature)).map((s) => (
            <li key={s.key}>
              <a href={s.href(name)} aria-current={section !== undefined && s.part.includes(section) ? 'page' : undefined}>
                {t(s.key)}
              </a>
            </li>
          ))}
        </ul>
      )}
    </li>
  )
}

function Navigation() {
  const dashboard = ['', 'ui', 'ui/clusters', 'index.html'].includes(place.value.path)
  return (
    <nav id="navigation" class="sidebar" aria-label={t('nav.label')}>
      <ul>
        <li>
          <a href={urls.dashboard()} aria-current={dashboard ? 'page' : undefined}>
            {t('nav.dashboard')}
          </a>
        </li>
        {clusters.value?.map((c) => (
          <ClusterLinks key={c.name} name={c.name} online={c.status === 'ONLINE'} features={c.features} />
        ))}
      </ul>
    </nav>
  )
}

function focusSearch(e: KeyboardEvent): void {
  const typing = (e.target as Element | null)?.closest('input, textarea, select, [contenteditable]')
  if (e.key !== '/' || typing || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return
  const box = document.querySelector<HTMLInputElement>('main input[type=search]')
  if (box) {
    e.preventDefault()
    box.focus()
  }
}

export function Shell({ children }: { children: ComponentChildren }) {
  const [open, setOpen] = useState(false)
  const path = place.value.path
  useEffect(() => setOpen(false), [path])
  useEffect(() => {
    document.addEventListener('keydown', focusSearch)
    return () => document.removeEventListener('keydown', focusSearch)
  }, [])
  const toContent = (e: Event) => {
    e.preventDefault()
    document.querySelector<HTMLElement>('main')?.focus()
  }
  return (
    <div class={open ? 'shell open' : 'shell'}>
      <a class="skip" href="#content" onClick={toContent}>
        {t('bar.skip')}
      </a>
      <header class="topbar">
        <button
          type="button"
          class="button quiet burger"
          aria-label={t('bar.menu')}
          aria-expanded={open}
          aria-controls="navigation"
          onClick={() => setOpen(!open)}
        >
          <Icon name="menu" size={20} />
        </button>
        <a class="brand" href={urls.dashboard()}>
          <img src="favicon.svg" alt="" width={28} height={28} />
          weir
        </a>
        {version.value && <span class="muted version">{version.value}</span>}
        <Preferences />
      </header>
      <Navigation />
      <div class="veil" onClick={() => setOpen(false)} />
      <main id="content" tabIndex={-1}>
        {clustersError.value && (
          <p class="banner red" role="alert">
            <Icon name="alert" /> {clustersError.value.message}
          </p>
        )}
        {children}
      </main>
      <Toasts />
      <QuestionDialog />
    </div>
  )
}
