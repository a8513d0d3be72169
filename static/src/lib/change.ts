// Change events in Debezium's envelope: found by their shape, with or without the schema around them, and
// compared column by column.
import { compact, member, parse, scalar, text, type Node } from './json'
import { meanings, read, type Meaning } from './semantic'

export const OPS = ['c', 'r', 'u', 'd', 't', 'm'] as const
export type Op = (typeof OPS)[number]

export interface Change {
  op: Op
  before: Node | undefined
  after: Node | undefined
  source: Node
  columns: Map<string, Meaning>
}
export type ColumnStatus = 'added' | 'removed' | 'changed' | 'same' | 'unavailable'
export interface ColumnChange {
  name: string
  before: Node | undefined
  after: Node | undefined
  status: ColumnStatus
  meaning: Meaning | undefined
}

const UNAVAILABLE = '"__debezium_unavailable_value"'
const LONGEST = 512 * 1024 // texts beyond are not looked into

function isNull(node: Node | undefined): boolean {
  return !node || (node.kind === 'literal' && node.raw === 'null')
}

// A row image: an object, or (MongoDB) a string with a document in it.
function image(node: Node | undefined): Node | undefined {
  if (!node || isNull(node)) return undefined
  return node.kind === 'string' ? (parse(text(node)) ?? node) : node
}

function rowSchema(schema: Node | undefined): Node | undefined {
  const fields = member(schema, 'fields')
  if (fields?.kind !== 'array') return undefined
  const named = (name: string) => fields.items.find((f) => scalar(member(f, 'field')) === name)
  return named('after') ?? named('before')
}

export function readChange(root: Node | null): Change | null {
  if (root?.kind !== 'object') return null
  const wrapped = root.members.length === 2 ? member(root, 'payload') : undefined
  const schema = wrapped ? member(root, 'schema') : undefined
  const envelope = wrapped && schema ? wrapped : root
  const op = scalar(member(envelope, 'op')) as Op | undefined
  const source = member(envelope, 'source')
  if (op === undefined || !OPS.includes(op) || source?.kind !== 'object') return null
  return {
    op,
    before: image(member(envelope, 'before')),
    after: image(member(envelope, 'after')),
    source,
    columns: meanings(rowSchema(schema)),
  }
}

export function changeOf(value: string | null): Change | null {
  return value !== null && value.length <= LONGEST && value.startsWith('{') ? readChange(parse(value)) : null
}

function statusOf(before: Node | undefined, after: Node | undefined): ColumnStatus {
  if (!before) return 'added'
  if (!after) return 'removed'
  const now = compact(after)
  if (now === UNAVAILABLE) return 'unavailable'
  return compact(before) === now ? 'same' : 'changed'
}

// Columns of `after`, then those only `before` has, each in written order.
export function columnsOf(change: Change): ColumnChange[] {
  const { before, after } = change
  const names = new Set<string>()
  for (const row of [after, before]) if (row?.kind === 'object') for (const m of row.members) names.add(m.name)
  return [...names].map((name) => {
    const old = member(before, name)
    const now = member(after, name)
    return { name, before: old, after: now, status: statusOf(old, now), meaning: change.columns.get(name) }
  })
}

// A value for people: decoded when the schema says how, strings without quotes. null: SQL's NULL.
export function shown(node: Node | undefined, meaning: Meaning | undefined): string | null {
  if (!node || isNull(node)) return null
  return read(node, meaning) ?? (node.kind === 'string' ? text(node) : compact(node))
}

// Where the event came from, as far as its source block says: [label, value].
export function origin(change: Change): [string, string][] {
  const at = (name: string) => scalar(member(change.source, name))
  const table = [at('db'), at('schema'), at('table') ?? at('collection')].filter((part) => part !== undefined).join('.')
  const file = at('file')
  const rows: [string, string | undefined][] = [
    ['table', table || undefined],
    ['position', file === undefined ? at('lsn') : `${file}:${at('pos') ?? ''}`],
    ['gtid', at('gtid')],
    ['snapshot', at('snapshot') === 'false' ? undefined : at('snapshot')],
    ['connector', at('connector')],
    ['ts_ms', at('ts_ms')],
  ]
  return rows.filter((row): row is [string, string] => row[1] !== undefined)
}
