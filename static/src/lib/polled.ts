// Data that keeps itself fresh: loaded when the key changes and again every few seconds while the page is in
// sight. What was loaded stays on the screen until newer data is there.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Polled<T> {
  data: T | undefined
  error: Error | undefined
  reload: () => void
}

export function usePolled<T>(key: string, load: (signal: AbortSignal) => Promise<T>, every = 2500): Polled<T> {
  const [state, setState] = useState<{ data?: T; error?: Error }>({})
  const latest = useRef(load)
  const again = useRef<() => void>(() => {})
  latest.current = load

  useEffect(() => {
    const control = new AbortController()
    let timer: number | undefined
    let running = false
    const run = async () => {
      window.clearTimeout(timer)
      if (running) return
      running = true
      try {
        const data = await latest.current(control.signal)
        if (!control.signal.aborted) setState({ data })
      } catch (e) {
        if (!control.signal.aborted) setState((s) => ({ ...s, error: e instanceof Error ? e : new Error(String(e)) }))
      }
      running = false
      if (!control.signal.aborted && every > 0) timer = window.setTimeout(whenSeen, every)
    }
    const whenSeen = () => {
      if (document.visibilityState === 'visible') void run()
    }
    again.current = () => void run()
    document.addEventListener('visibilitychange', whenSeen)
    void run()
    return () => {
      control.abort()
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', whenSeen)
    }
  }, [key, every])

  const reload = useCallback(() => again.current(), [])
  return { data: state.data, error: state.error, reload }
}
