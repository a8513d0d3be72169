// Values of change events whose schema says what they mean (a decimal in base64, days since 1970): read into the
// text a person expects. Works on the written digits, so nothing is rounded. null: show the value as it is.
import { member, scalar, type Node } from './json'

const DECIMAL = 'org.apache.kafka.connect.data.Decimal'

export interface Meaning {
  name: string
  scale: number
}

// The meaning of each column, from the schema of the row.
export function meanings(schema: Node | undefined): Map<string, Meaning> {
  const out = new Map<string, Meaning>()
  const fields = member(schema, 'fields')
  if (fields?.kind !== 'array') return out
  for (const field of fields.items) {
    const column = scalar(member(field, 'field'))
    const name = scalar(member(field, 'name'))
    if (column !== undefined && name !== undefined)
      out.set(column, { name, scale: Number(scalar(member(member(field, 'parameters'), 'scale')) ?? 0) })
  }
  return out
}

function decimal(base64: string, scale: number): string | null {
  let binary: string
  try {
    binary = atob(base64)
  } catch {
    return null
  }
  if (binary.length === 0 || binary.length > 256 || !(scale >= -256 && scale <= 256)) return null
  let value = 0n
  for (const c of binary) value = (value << 8n) | BigInt(c.charCodeAt(0))
  value = BigInt.asIntN(binary.length * 8, value)
  const digits = (value < 0n ? -value : value).toString()
  const sign = value < 0n ? '-' : ''
  if (scale <= 0) return sign + digits + '0'.repeat(-scale)
  const padded = digits.padStart(scale + 1, '0')
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

// n units of 1/perSecond seconds since 1970, in UTC with all digits of the fraction.
function instant(n: bigint, perSecond: bigint, date: boolean): string | null {
  const fraction = ((n % perSecond) + perSecond) % perSecond
  const seconds = (n - fraction) / perSecond
  if (seconds > 8_640_000_000_000n || seconds < -8_640_000_000_000n) return null
  const text = new Date(Number(seconds) * 1000).toISOString()
  const digits = String(perSecond).length - 1
  const rest = digits > 0 ? `.${String(fraction).padStart(digits, '0')}` : ''
  const clock = text.slice(text.indexOf('T') + 1, -5) + rest
  return date ? `${text.slice(0, text.indexOf('T'))} ${clock}` : clock
}

const CLOCKS: Record<string, [bigint, boolean]> = {
  'io.debezium.time.Timestamp': [1000n, true],
  'io.debezium.time.MicroTimestamp': [1_000_000n, true],
  'io.debezium.time.NanoTimestamp': [1_000_000_000n, true],
  'io.debezium.time.Time': [1000n, false],
  'io.debezium.time.MicroTime': [1_000_000n, false],
  'io.debezium.time.NanoTime': [1_000_000_000n, false],
  'org.apache.kafka.connect.data.Timestamp': [1000n, true],
  'org.apache.kafka.connect.data.Time': [1000n, false],
}
const DAYS = ['io.debezium.time.Date', 'org.apache.kafka.connect.data.Date']

export function read(node: Node, meaning: Meaning | undefined): string | null {
  if (!meaning) return null
  if (meaning.name === DECIMAL && node.kind === 'string') return decimal(scalar(node) ?? '', meaning.scale)
  if (node.kind !== 'number' || !/^-?\d{1,19}$/.test(node.raw)) return null
  const n = BigInt(node.raw)
  if (DAYS.includes(meaning.name)) return instant(n * 86_400n, 1n, true)?.slice(0, -9) ?? null
  const clock = CLOCKS[meaning.name]
  return clock ? instant(n, clock[0], clock[1]) : null
}
