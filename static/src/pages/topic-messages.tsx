// The records of a topic, as the server streams them: a page of the newest or oldest, from a place, or live.
import { useEffect, useRef, useState } from 'preact/hooks'
import { Icon } from '../components/icon'
import { Text } from '../components/text'
import { t } from '../i18n/i18n'
import type { Topic } from '../lib/api'
import { bytes, count } from '../lib/format'
import { depth, place, setQuery } from '../lib/router'
import { readMessages, type Consuming, type Message, type StreamEvent } from '../lib/stream'
import { MessageFilters } from './message-filters'
import { MessageRow } from './message-row'

const LIVE_ROWS = 500 // older ones leave the page; the topic keeps them

interface View {
  messages: Message[]
  phase: string
  consuming: Consuming | null
  cursor: string | null
  received: number
  loading: boolean
  error: string
}
const NOTHING: View = { messages: [], phase: '', consuming: null, cursor: null, received: 0, loading: true, error: '' }

function apply(view: View, events: StreamEvent[], live: boolean): View {
  const next = { ...view }
  const fresh: Message[] = []
  for (const e of events) {
    if (e.message) fresh.push(e.message)
    if (e.phase) next.phase = e.phase.name
    if (e.consuming) next.consuming = e.consuming
    if (e.type === 'DONE') next.cursor = e.cursor?.id ?? null
  }
  next.received += fresh.length
  next.messages = live ? [...fresh.reverse(), ...view.messages].slice(0, LIVE_ROWS) : [...view.messages, ...fresh]
  return next
}

// Reads again whenever `key` changes; `stop` ends reading and keeps what is there.
function useMessages(c: string, topic: string, query: Record<string, string>, key: string) {
  const [view, setView] = useState(NOTHING)
  const control = useRef<AbortController>()
  const live = query.mode === 'TAILING'
  useEffect(() => {
    const mine = new AbortController()
    control.current = mine
    setView(NOTHING)
    readMessages(c, topic, query, mine.signal, (events) => setView((v) => apply(v, events, live)))
      .catch((e: unknown) => {
        if (!mine.signal.aborted) setView((v) => ({ ...v, error: e instanceof Error ? e.message : String(e) }))
      })
      .finally(() => {
        if (control.current === mine) setView((v) => ({ ...v, loading: false }))
      })
    return () => {
      control.current = undefined
      mine.abort()
    }
  }, [c, topic, key])
  return { view, live, stop: () => control.current?.abort() }
}

function Status({ view, live }: { view: View; live: boolean }) {
  const consuming = view.consuming
  return (
    <p class="status" aria-live="off">
      {view.loading && (live ? <span class="live-dot" aria-hidden="true" /> : <span class="spinner small" aria-hidden="true" />)}
      {view.loading && live ? t('messages.live') : <Text value={view.phase} />}
      {consuming && !live && <span>{t('messages.elapsed', { ms: count(consuming.elapsedMs) })}</span>}
      {consuming && <span>{bytes(consuming.bytesConsumed)}</span>}
      <span>{t('messages.count', { n: count(live ? view.received : (consuming?.messagesConsumed ?? view.received)) })}</span>
      {live && view.received > LIVE_ROWS && <span>{t('messages.dropped', { n: count(LIVE_ROWS) })}</span>}
      {(consuming?.skipped ?? 0) > 0 && <span class="warn">{t('messages.skipped', { n: count(consuming?.skipped) })}</span>}
      {(consuming?.filterApplyErrors ?? 0) > 0 && <span class="warn">{t('messages.filterErrors', { n: count(consuming?.filterApplyErrors) })}</span>}
    </p>
  )
}

export function TopicMessages({ c, topic }: { c: string; topic: Topic }) {
  const [turn, setTurn] = useState(0)
  const inUrl = place.value.query
  const read = (name: string, fallback = '') => inUrl.get(name) ?? fallback
  const mode = read('mode', 'LATEST')
  const cursor = read('cursor')
  const filters: Record<string, string> = {
    mode,
    limit: read('limit', '100'),
    partitions: read('partitions'),
    stringFilter: read('stringFilter'),
    keySerde: read('keySerde'),
    valueSerde: read('valueSerde'),
    ...(mode.endsWith('_OFFSET') && { offset: read('offset', '0') }),
    ...(mode.endsWith('_TIMESTAMP') && { timestamp: read('timestamp', '0') }),
  }
  const query: Record<string, string> = cursor ? { cursor } : filters
  const { view, live, stop } = useMessages(c, topic.name, query, JSON.stringify([query, turn]))
  const paged = !live && (cursor !== '' || view.cursor !== null)
  return (
    <>
      <MessageFilters c={c} topic={topic} />
      <div class="messages-bar">
        <Status view={view} live={live} />
        {view.loading ? (
          <button type="button" class="button small" onClick={stop}>
            <Icon name={live ? 'pause' : 'close'} size={14} /> {t(live ? 'messages.pause' : 'messages.stop')}
          </button>
        ) : (
          <button type="button" class="button small" onClick={() => setTurn(turn + 1)}>
            <Icon name={live ? 'play' : 'refresh'} size={14} /> {t(live ? 'messages.resume' : 'common.refresh')}
          </button>
        )}
      </div>
      {view.error && (
        <p class="banner red" role="alert">
          <Icon name="alert" /> <Text value={view.error} />
        </p>
      )}
      <div class="scroll">
        <table class="list messages">
          <caption class="offscreen">{t('topic.messages')}</caption>
          <thead>
            <tr>
              <th scope="col" class="narrow" aria-label={t('message.details')} />
              <th scope="col" class="number">{t('message.offset')}</th>
              <th scope="col" class="number">{t('message.partition')}</th>
              <th scope="col">{t('message.timestamp')}</th>
              <th scope="col" class="key">{t('common.key')}</th>
              <th scope="col" class="value">{t('common.value')}</th>
              <th scope="col" class="narrow" aria-label={t('message.menu')} />
            </tr>
          </thead>
          <tbody>
            {view.messages.map((m) => (
              <MessageRow key={`${m.partition}:${m.offset}`} topic={topic.name} message={m} flash={live} />
            ))}
            {view.messages.length === 0 && (
              <tr>
                <td class="empty" colSpan={7}>
                  {t(view.loading ? (live ? 'messages.waiting' : 'common.loading') : topic.messagesCount === 0 ? 'messages.emptyTopic' : 'messages.empty')}
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
      {paged && (
        <nav class="pager" aria-label={t('pager.label')}>
          <button type="button" class="button" disabled={cursor === '' || depth() === 0} onClick={() => history.back()}>
            ← {t('pager.previous')}
          </button>
          <button type="button" class="button" disabled={view.loading || view.cursor === null} onClick={() => setQuery({ cursor: view.cursor }, false)}>
            {t('pager.next')} →
          </button>
        </nav>
      )}
    </>
  )
}
