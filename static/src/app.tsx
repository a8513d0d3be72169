// Which page an address shows. Pages are loaded when first opened; the one before stays until the next is there.
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Loading, Problem } from './components/basic'
import { Shell } from './components/shell'
import { clusters } from './lib/clusters'
import { match, navigate, place, type Params } from './lib/router'

type Page = ComponentType<{ params: Params }>
type Load = () => Promise<{ default: Page }>

const C = 'ui/clusters/:c'
const topic: Load = () => import('./pages/topic')
const connect: Load = () => import('./pages/connect')
const connector: Load = () => import('./pages/connector')
const topicForm: Load = () => import('./pages/topic-form')
const notFound: Load = () => import('./pages/not-found')
const dashboard: Load = () => import('./pages/dashboard')

// The first pattern that fits wins; :tab parts are checked by the page.
const ROUTES: [pattern: string, load: Load][] = [
  ['', dashboard],
  ['index.html', dashboard],
  ['ui', dashboard],
  ['ui/clusters', dashboard],
  [C, () => import('./pages/brokers')],
  [`${C}/brokers`, () => import('./pages/brokers')],
  [`${C}/brokers/:id`, () => import('./pages/broker')],
  [`${C}/all-topics`, () => import('./pages/topics')],
  [`${C}/all-topics/create-new-topic`, topicForm],
  [`${C}/all-topics/copy`, topicForm],
  [`${C}/all-topics/:t/edit`, () => import('./pages/topic-edit')],
  [`${C}/all-topics/:t`, topic],
  [`${C}/all-topics/:t/:tab`, topic],
  [`${C}/consumer-groups`, () => import('./pages/groups')],
  [`${C}/consumer-groups/:g`, () => import('./pages/group')],
  [`${C}/consumer-groups/:g/reset-offsets`, () => import('./pages/group-reset')],
  [`${C}/kafka-connect`, connect],
  [`${C}/kafka-connect/:tab`, connect],
  [`${C}/create-new`, () => import('./pages/connector-create')],
  [`${C}/connects/:x/connectors/:n`, connector],
  [`${C}/connects/:x/connectors/:n/:tab`, connector],
]

function route(path: string): { load: Load; params: Params } {
  for (const [pattern, load] of ROUTES) {
    const params = match(pattern, path)
    if (params) return { load, params }
  }
  return { load: notFound, params: {} }
}

// Everything but the tab: when it stays, the page stays with its state.
function identity(params: Params): string {
  return JSON.stringify(Object.entries(params).filter(([name]) => name !== 'tab'))
}

interface Shown {
  load: Load
  page: Page
  params: Params
}

export function App() {
  const [shown, setShown] = useState<Shown | null>(null)
  const [error, setError] = useState<Error | null>(null)
  const path = place.value.path
  const { load, params } = route(path)
  const known = clusters.value

  // A link from a course names another cluster; there is only one here.
  const only = known?.length === 1 ? known[0]?.name : undefined
  const elsewhere = only !== undefined && params.c !== undefined && params.c !== only
  useEffect(() => {
    if (elsewhere) navigate(path.replace(/^ui\/clusters\/[^/]+/, `ui/clusters/${encodeURIComponent(only)}`) + location.search, true)
  }, [elsewhere, path])

  useEffect(() => {
    let current = true
    setError(null)
    load().then(
      (module) => current && setShown({ load, page: module.default, params }),
      (e: unknown) => current && setError(e instanceof Error ? e : new Error(String(e))),
    )
    return () => {
      current = false
    }
  }, [path])

  const now = shown?.load === load ? params : shown?.params
  return (
    <Shell>
      {error ? (
        <Problem error={error} retry={() => location.reload()} />
      ) : shown && now && !elsewhere ? (
        <shown.page key={identity(now)} params={now} />
      ) : (
        <Loading />
      )}
    </Shell>
  )
}
