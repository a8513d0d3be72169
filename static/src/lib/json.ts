// JSON texts as they were written: numbers keep their digits, strings their escapes, members their order and
// duplicates. Made for showing records of anybody's making, so it never recurses while reading, and gives up
// (null) on texts that are not JSON, too deep or too large to lay out.
export interface Member {
  name: string
  raw: string // the name with quotes and escapes
  value: Node
}
export type Node =
  | { kind: 'object'; members: Member[] }
  | { kind: 'array'; items: Node[] }
  | { kind: 'string'; raw: string }
  | { kind: 'number' | 'literal'; raw: string }

const MAX_DEPTH = 512
const MAX_NODES = 100_000
const LEXEME = /[ \t\r\n]*(?:([{}[\],:])|(")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

type Container = Extract<Node, { kind: 'object' | 'array' }>

export function text(node: { raw: string }): string {
  return JSON.parse(node.raw) as string
}

// Index behind the closing quote of the string whose contents begin at `from`; -1: not a string. A loop, since a
// regular expression runs out of stack on strings of megabytes.
function endOfString(source: string, from: number): number {
  let i = from
  while (i < source.length) {
    const c = source.charCodeAt(i)
    if (c === 0x22) return i + 1
    if (c < 0x20) return -1
    if (c !== 0x5c) {
      i++
      continue
    }
    ESCAPE.lastIndex = i
    if (!ESCAPE.test(source)) return -1
    i = ESCAPE.lastIndex
  }
  return -1
}

export function parse(source: string): Node | null {
  const open: Container[] = []
  let root: Node | null = null
  let name: string | null = null // raw name of the member whose value comes next
  let expect: 'value' | 'first' | 'name' | 'colon' | 'more' | 'end' = 'value'
  let nodes = 0
  LEXEME.lastIndex = 0

  const place = (node: Node): void => {
    const parent = open[open.length - 1]
    if (!parent) root = node
    else if (parent.kind === 'array') parent.items.push(node)
    else if (name !== null) parent.members.push({ name: text({ raw: name }), raw: name, value: node })
    name = null
    expect = parent ? 'more' : 'end'
  }

  for (;;) {
    const at = LEXEME.lastIndex
    const found = LEXEME.exec(source)
    if (!found) return expect === 'end' && /^[ \t\r\n]*$/.test(source.slice(at)) ? root : null
    const [, sign, quote, number, literal] = found
    let string: string | undefined
    if (quote !== undefined) {
      const end = endOfString(source, LEXEME.lastIndex)
      if (end < 0) return null
      string = source.slice(LEXEME.lastIndex - 1, end)
      LEXEME.lastIndex = end
    }
    const parent = open[open.length - 1]
    if (sign === '}' || sign === ']') {
      if (!parent || (sign === '}') !== (parent.kind === 'object') || (expect !== 'more' && expect !== 'first')) return null
      open.pop()
      expect = open.length > 0 ? 'more' : 'end'
    } else if (sign === ',') {
      if (expect !== 'more') return null
      expect = parent?.kind === 'object' ? 'name' : 'value'
    } else if (sign === ':') {
      if (expect !== 'colon') return null
      expect = 'value'
    } else if (parent?.kind === 'object' && (expect === 'name' || expect === 'first')) {
      if (string === undefined) return null
      name = string
      expect = 'colon'
    } else {
      if ((expect !== 'value' && expect !== 'first') || ++nodes > MAX_NODES) return null
      if (sign !== undefined) {
        if (open.length >= MAX_DEPTH) return null
        const node: Container = sign === '{' ? { kind: 'object', members: [] } : { kind: 'array', items: [] }
        place(node)
        open.push(node)
        expect = 'first'
      } else if (string !== undefined) place({ kind: 'string', raw: string })
      else if (number !== undefined) place({ kind: 'number', raw: number })
      else if (literal !== undefined) place({ kind: 'literal', raw: literal })
    }
  }
}

export type TokenKind = 'name' | 'string' | 'number' | 'literal' | 'plain'
export interface Token {
  kind: TokenKind
  text: string
}

// The node laid out over lines, as pieces to colour.
export function layout(node: Node, indent = '  '): Token[] {
  const out: Token[] = []
  const plain = (piece: string) => out.push({ kind: 'plain', text: piece })
  const walk = (n: Node, margin: string): void => {
    if (n.kind !== 'object' && n.kind !== 'array') {
      out.push({ kind: n.kind, text: n.raw })
      return
    }
    const children = n.kind === 'object' ? n.members.length : n.items.length
    const [left, right] = n.kind === 'object' ? '{}' : '[]'
    if (children === 0) {
      plain(`${left}${right}`)
      return
    }
    const inner = margin + indent
    plain(`${left}\n${inner}`)
    for (let i = 0; i < children; i++) {
      if (i > 0) plain(`,\n${inner}`)
      const member = n.kind === 'object' ? n.members[i] : undefined
      if (member) {
        out.push({ kind: 'name', text: member.raw })
        plain(': ')
      }
      const child = n.kind === 'object' ? member?.value : n.items[i]
      if (child) walk(child, inner)
    }
    plain(`\n${margin}${right}`)
  }
  walk(node, '')
  return out
}

// On one line, without spaces that were not inside strings.
export function compact(node: Node): string {
  if (node.kind === 'object') return `{${node.members.map((m) => `${m.raw}:${compact(m.value)}`).join(',')}}`
  if (node.kind === 'array') return `[${node.items.map(compact).join(',')}]`
  return node.raw
}

export function member(node: Node | null | undefined, name: string): Node | undefined {
  return node?.kind === 'object' ? node.members.findLast((m) => m.name === name)?.value : undefined
}

// A scalar's text without quotes; undefined for null, objects and arrays.
export function scalar(node: Node | null | undefined): string | undefined {
  if (!node || node.kind === 'object' || node.kind === 'array' || node.raw === 'null') return undefined
  return node.kind === 'string' ? text(node) : node.raw
}
