// One record in the list. Change events show their operation and what changed instead of the whole envelope.
import { useMemo, useState } from 'preact/hooks'
import { Icon } from '../components/icon'
import { Menu } from '../components/menu'
import { Text } from '../components/text'
import { t } from '../i18n/i18n'
import { changeOf, columnsOf, shown, type Change, type ColumnChange } from '../lib/change'
import { copyText, saveText } from '../lib/clipboard'
import { time } from '../lib/format'
import { compact, member, parse } from '../lib/json'
import { failed, succeeded } from '../lib/notify'
import type { Message } from '../lib/stream'
import { MessageDetails } from './message-details'
import { OpBadge } from './message-change'

const CELL = 240 // characters of a value in the list

function cut(text: string, most = CELL): string {
  return text.length > most ? `${text.slice(0, most)}…` : text
}

function Nothing({ of, text }: { of: string; text: string }) {
  return (
    <span class="chip" title={t('message.isNothing', { of })}>
      {text}
    </span>
  )
}

function Plain({ text, of }: { text: string | null; of: string }) {
  if (text === null) return <Nothing of={of} text="null" />
  if (text === '') return <Nothing of={of} text='""' />
  return <Text value={cut(text)} />
}

// A key with its schema around it is shown without it.
function keyText(key: string | null): string | null {
  if (key === null || !key.startsWith('{') || key.length > 16_384) return key
  const root = parse(key)
  const payload = root?.kind === 'object' && root.members.length === 2 && member(root, 'schema') ? member(root, 'payload') : undefined
  return payload ? compact(payload) : key
}

function Side({ value, of }: { value: string | null; of: 'old' | 'new' }) {
  const Element = of === 'old' ? 'del' : 'ins'
  return <Element>{value === null ? 'null' : <Text value={cut(value, 60)} />}</Element>
}

function ColumnSummary({ column, op }: { column: ColumnChange; op: Change['op'] }) {
  const before = shown(column.before, column.meaning)
  const after = shown(column.after, column.meaning)
  return (
    <span class="column-change">
      <b>{column.name}</b>
      {op === 'u' && column.status === 'changed' ? (
        <>
          <Side value={before} of="old" />
          <span aria-hidden="true">→</span>
          <Side value={after} of="new" />
        </>
      ) : (
        <span class={`plain ${op}`}>
          <Text value={cut((op === 'd' ? before : after) ?? 'null', 60)} />
        </span>
      )}
    </span>
  )
}

function ChangeSummary({ change }: { change: Change }) {
  const all = columnsOf(change)
  const changed = change.op === 'u' && change.before ? all.filter((column) => column.status !== 'same' && column.status !== 'unavailable') : all
  const first = changed.slice(0, 6)
  return (
    <span class="change-summary">
      <OpBadge op={change.op} />
      {first.map((column) => (
        <ColumnSummary key={column.name} column={column} op={change.op} />
      ))}
      {changed.length > first.length && <span class="muted">{t('message.moreColumns', { n: changed.length - first.length })}</span>}
      {changed.length === 0 && <span class="muted">{t('message.nothingChanged')}</span>}
    </span>
  )
}

function ValueCell({ message, change }: { message: Message; change: Change | null }) {
  if (change) return <ChangeSummary change={change} />
  if (message.value === null && message.key !== null)
    return (
      <span class="tombstone">
        <span aria-hidden="true">⊘</span> {t('message.tombstone')} <Nothing of={t('common.value')} text="null" />
      </span>
    )
  return <Plain text={message.value} of={t('common.value')} />
}

function headersOf(message: Message): [string, string | null][] {
  return message.headersList?.map((h) => [h.key, h.value ?? h.valueB64 ?? null]) ?? Object.entries(message.headers ?? {})
}

// The record as one JSON object, key and value as texts: what kafka-ui saves.
function saved(message: Message): string {
  return JSON.stringify(
    {
      Value: message.value,
      Offset: message.offset,
      Key: message.key,
      Partition: message.partition,
      Headers: message.headersList ?? message.headers,
      Timestamp: message.timestamp,
    },
    null,
    2,
  )
}

interface Props {
  topic: string
  message: Message
  flash: boolean
}

export function MessageRow({ topic, message, flash }: Props) {
  const [open, setOpen] = useState(false)
  const change = useMemo(() => changeOf(message.value), [message.value])
  const key = useMemo(() => keyText(message.key), [message.key])
  const copy = (text: string) => void copyText(text).then((done) => (done ? succeeded(t('copy.done')) : failed(t('copy.failed'))))
  const toggle = (e: Event) => {
    if ((e.target as Element).closest('button, a, .menu') === null && window.getSelection()?.isCollapsed !== false) setOpen(!open)
  }
  const name = t('message.name', { partition: message.partition, offset: message.offset })
  const classes = ['message', open && 'open', flash && 'flash', change && `op-${change.op}`].filter(Boolean).join(' ')
  return (
    <>
      <tr class={classes} onClick={toggle}>
        <td class="narrow">
          <button type="button" class="expand" aria-expanded={open} aria-label={name} onClick={() => setOpen(!open)}>
            <Icon name={open ? 'minus' : 'plus'} size={14} />
          </button>
        </td>
        <td class="number">{message.offset}</td>
        <td class="number">{message.partition}</td>
        <td class="nowrap">{time(message.timestamp)}</td>
        <td class="key" dir="ltr">
          <div class="clip">
            <bdi>
              <Plain text={key} of={t('common.key')} />
            </bdi>
          </div>
        </td>
        <td class="value" dir="ltr">
          <div class="clip">
            <bdi>
              <ValueCell message={message} change={change} />
            </bdi>
          </div>
        </td>
        <td class="narrow">
          <Menu
            label={t('table.actions', { name })}
            items={[
              { text: t('message.copyKey'), run: () => copy(message.key ?? ''), disabled: message.key === null },
              { text: t('message.copyValue'), run: () => copy(message.value ?? ''), disabled: message.value === null },
              { text: t('message.copyAll'), run: () => copy(saved(message)) },
              { text: t('message.save'), run: () => saveText(`${topic}-${message.partition}-${message.offset}.json`, saved(message), 'application/json') },
            ]}
          />
        </td>
      </tr>
      {open && (
        <tr class="details">
          <td colSpan={7}>
            <MessageDetails message={message} change={change} headers={headersOf(message)} />
          </td>
        </tr>
      )}
    </>
  )
}
