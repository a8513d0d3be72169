// Where the user is: the path below the document's base and the query, as a signal; the browser's history behind
// it. Plain links work: one listener takes clicks on links into /ui. Older addresses of kafka-ui are rewritten.
import { signal } from '@preact/signals'

export interface Place {
  path: string // "ui/clusters/local/all-topics", without a slash at either end
  query: URLSearchParams
}

const base = new URL(document.baseURI).pathname

const SEEK_MODES: Record<string, string> = { BEGINNING: 'EARLIEST', LATEST: 'LATEST', OFFSET: 'FROM_OFFSET', TIMESTAMP: 'FROM_TIMESTAMP' }

function rewriteSeek(query: URLSearchParams): void {
  const type = query.get('seekType')
  if (type === null) return
  const backward = query.get('seekDirection') === 'BACKWARD'
  const tailing = query.get('seekDirection') === 'TAILING'
  const mode = tailing ? 'TAILING' : (SEEK_MODES[type] ?? 'LATEST')
  query.set('mode', backward ? mode.replace('FROM_', 'TO_') : mode)
  const targets = (query.get('seekTo') ?? '').split(',').map((target) => target.split('::'))
  const position = targets[0]?.[1]
  if (position !== undefined && type === 'OFFSET') query.set('offset', position)
  if (position !== undefined && type === 'TIMESTAMP') query.set('timestamp', position)
  if (position !== undefined) query.set('partitions', targets.map((target) => target[0] ?? '').join(','))
  const text = query.get('q')
  if (text !== null && query.get('filterQueryType') === null) query.set('stringFilter', text)
  for (const old of ['seekType', 'seekTo', 'seekDirection', 'q', 'filterQueryType']) query.delete(old)
}

export function rewrite(path: string, query: URLSearchParams): string {
  const now = path
    .replace(/^(ui\/clusters\/[^/]+)\/topics(\/|$)/, '$1/all-topics$2')
    .replace(/^(ui\/clusters\/[^/]+)\/connectors\/create-new$/, '$1/create-new')
    .replace(/^(ui\/clusters\/[^/]+)\/connectors$/, '$1/kafka-connect/connectors')
    .replace(/^(ui\/clusters\/[^/]+\/connects\/[^/]+\/connectors\/[^/]+)\/edit$/, '$1/config')
  if (/\/all-topics\/[^/]+\/messages$/.test(now)) rewriteSeek(query)
  return now
}

function read(): Place {
  const path = location.pathname.slice(base.length).replace(/\/+$/, '')
  const query = new URLSearchParams(location.search)
  const now = rewrite(path, query)
  if (now !== path || (location.search.includes('seekType') && !query.has('seekType')))
    history.replaceState(history.state, '', toUrl(now, query))
  return { path: now, query }
}

function toUrl(path: string, query: URLSearchParams): string {
  const text = query.toString()
  return base + path + (text ? `?${text}` : '')
}

export const place = signal<Place>(read())

export function navigate(to: string, replace = false): void {
  const url = new URL(to, document.baseURI)
  if (replace) history.replaceState(history.state, '', url)
  else history.pushState({ depth: depth() + 1 }, '', url)
  const moved = url.pathname !== base + place.value.path
  place.value = read()
  if (!replace && moved) window.scrollTo(0, 0)
}

// How many pages of this site lie behind the current one in the history.
export function depth(): number {
  return (history.state as { depth?: number } | null)?.depth ?? 0
}

// Changes some query values; null removes one. Typing replaces the entry in the history, choosing adds one.
export function setQuery(changes: Record<string, string | null>, replace = true): void {
  const query = new URLSearchParams(place.value.query)
  for (const [name, value] of Object.entries(changes))
    if (value === null || value === '') query.delete(name)
    else query.set(name, value)
  navigate(toUrl(place.value.path, query), replace)
}

export type Params = Record<string, string>

// "ui/clusters/:c/all-topics" against a path; values are decoded once, so a name may hold %2F.
export function match(pattern: string, path: string): Params | null {
  const want = pattern.split('/')
  const have = path.split('/')
  if (want.length !== have.length) return null
  const params: Params = {}
  for (const [i, part] of want.entries()) {
    const value = have[i] ?? ''
    if (!part.startsWith(':')) {
      if (part !== value) return null
      continue
    }
    try {
      params[part.slice(1)] = decodeURIComponent(value)
    } catch {
      return null
    }
  }
  return params
}

function onClick(e: MouseEvent): void {
  if (e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return
  const link = (e.target as Element | null)?.closest('a')
  if (!link || link.target || link.hasAttribute('download')) return
  const url = new URL(link.href)
  if (url.origin !== location.origin || !(url.pathname + '/').startsWith(`${base}ui/`)) return
  e.preventDefault()
  navigate(url.href, url.href === location.href)
}

export function startRouter(): void {
  document.addEventListener('click', onClick)
  window.addEventListener('popstate', () => {
    place.value = read()
  })
}
