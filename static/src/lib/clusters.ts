// The clusters there are, known to the whole page: the side navigation shows them, pages know what is read-only.
import { signal } from '@preact/signals'
import { api, type Cluster } from './api'

export const clusters = signal<Cluster[] | null>(null)
export const clustersError = signal<Error | null>(null)
export const version = signal('')

async function refresh(): Promise<void> {
  if (document.visibilityState !== 'visible' && clusters.value !== null) return
  try {
    clusters.value = await api.clusters()
    clustersError.value = null
  } catch (e) {
    clustersError.value = e instanceof Error ? e : new Error(String(e))
  }
}

export function watchClusters(): void {
  void refresh()
  window.setInterval(() => void refresh(), 3000)
  void api.info().then(
    (info) => {
      version.value = info.build.version.replace(/^weir-/, '')
    },
    () => {}, // the list of clusters shows what is wrong
  )
}

export function isReadOnly(name: string): boolean {
  return clusters.value?.find((c) => c.name === name)?.readOnly ?? false
}
