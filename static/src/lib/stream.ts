// Messages of a topic as the server sends them: server-sent events read with fetch (an EventSource would start
// over whenever the server ends the stream). Events are handed over once per screen refresh.
import { api } from './api'
import { address, failure, type Query } from './http'

export interface Message {
  partition: number
  offset: number
  timestamp: string
  timestampType: string
  key: string | null
  value: string | null
  headers: Record<string, string | null>
  headersList?: { key: string; value: string | null; valueB64?: string }[]
  keySize: number | null
  valueSize: number | null
  headersSize: number | null
  keySerde: string | null
  valueSerde: string | null
}
export interface Consuming {
  bytesConsumed: number
  elapsedMs: number
  messagesConsumed: number
  filterApplyErrors: number
  skipped?: number
}
export interface StreamEvent {
  type: 'PHASE' | 'MESSAGE' | 'CONSUMING' | 'DONE'
  message: Message | null
  phase: { name: string } | null
  consuming: Consuming | null
  cursor: { id: string } | null
}

// Cuts a text that arrives in pieces into the data of its events.
class EventSplitter {
  private rest = ''
  private searched = 0

  push(piece: string): StreamEvent[] {
    const events: StreamEvent[] = []
    this.rest += piece
    for (;;) {
      const end = this.rest.indexOf('\n\n', this.searched)
      if (end < 0) break
      const data = this.rest.slice(0, end)
      if (data.startsWith('data:')) events.push(JSON.parse(data.slice(5)) as StreamEvent)
      this.rest = this.rest.slice(end + 2)
      this.searched = 0
    }
    this.searched = Math.max(0, this.rest.length - 1)
    return events
  }
}

// Resolves when the server ends the stream; rejects with its error, or when the signal aborts.
export async function readMessages(
  cluster: string,
  topic: string,
  query: Query,
  signal: AbortSignal,
  onEvents: (events: StreamEvent[]) => void,
): Promise<void> {
  const response = await fetch(address(api.messages(cluster, topic), query), { signal })
  if (!response.ok || !response.body) throw await failure(response)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  const splitter = new EventSplitter()
  let waiting: StreamEvent[] = []
  let timer: number | undefined
  const flush = () => {
    window.clearTimeout(timer)
    timer = undefined
    if (waiting.length > 0 && !signal.aborted) onEvents(waiting)
    waiting = []
  }
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      waiting.push(...splitter.push(value))
      if (timer === undefined && waiting.length > 0) timer = window.setTimeout(flush, 50)
    }
  } finally {
    flush()
  }
}
