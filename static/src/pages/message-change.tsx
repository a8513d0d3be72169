// A change event in full: each column before and after, and where the change came from.
import { useState } from 'preact/hooks'
import { Tag, type Tone } from '../components/basic'
import { Toggle } from '../components/fields'
import { Text } from '../components/text'
import { t, type Key } from '../i18n/i18n'
import { columnsOf, origin, shown, type Change, type ColumnChange, type Op } from '../lib/change'
import { time } from '../lib/format'
import { compact, type Node } from '../lib/json'

const OPS: Record<Op, { tone: Tone; key: Key }> = {
  c: { tone: 'green', key: 'op.c' },
  r: { tone: 'blue', key: 'op.r' },
  u: { tone: 'yellow', key: 'op.u' },
  d: { tone: 'red', key: 'op.d' },
  t: { tone: 'violet', key: 'op.t' },
  m: { tone: 'grey', key: 'op.m' },
}

export function OpBadge({ op }: { op: Op }) {
  const { tone, key } = OPS[op]
  return (
    <Tag tone={tone} title={t(key)}>
      <b class="op">{op}</b> {t(key)}
    </Tag>
  )
}

function Cell({ node, column, mark }: { node: Node | undefined; column: ColumnChange; mark: 'old' | 'new' | '' }) {
  if (!node) return <td class="absent" />
  const value = shown(node, column.meaning)
  const raw = compact(node)
  return (
    <td class={`cell ${mark}`} title={column.meaning ? `${column.meaning.name}: ${raw.slice(0, 300)}` : undefined}>
      {value === null ? <span class="chip">null</span> : <Text value={value} />}
    </td>
  )
}

export function ChangeTable({ change }: { change: Change }) {
  const [onlyChanged, setOnlyChanged] = useState(false)
  const all = columnsOf(change)
  const rows = onlyChanged ? all.filter((column) => column.status !== 'same') : all
  return (
    <div class="change">
      <div class="change-head">
        <OpBadge op={change.op} />
        {change.op === 'u' && <Toggle label={t('change.onlyChanged')} checked={onlyChanged} onChange={setOnlyChanged} />}
      </div>
      <div class="scroll">
        <table class="diff">
          <thead>
            <tr>
              <th scope="col">{t('change.column')}</th>
              <th scope="col">before</th>
              <th scope="col">after</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((column) => (
              <tr key={column.name} class={column.status}>
                <th scope="row">
                  <Text value={column.name} />
                </th>
                <Cell node={column.before} column={column} mark={column.status === 'changed' || column.status === 'removed' ? 'old' : ''} />
                <Cell node={column.after} column={column} mark={column.status === 'changed' || column.status === 'added' ? 'new' : ''} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <dl class="facts row">
        {origin(change).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Text value={name === 'ts_ms' ? time(Number(value)) : value} />
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
