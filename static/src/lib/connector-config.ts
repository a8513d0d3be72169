// A connector's configuration as somebody wrote it: a flat object, or {"name", "config"} as tutorials have it.
// Numbers and booleans become texts with the digits they were written with.
import { t } from '../i18n/i18n'
import { parse, scalar, member, type Node } from './json'

export interface Pasted {
  name: string | null
  config: Record<string, string | null>
}

function flat(node: Extract<Node, { kind: 'object' }>): Record<string, string | null> {
  const out: Record<string, string | null> = {}
  for (const { name, value } of node.members) {
    if (value.kind === 'object' || value.kind === 'array') throw new Error(t('config.nested', { name }))
    out[name] = scalar(value) ?? null
  }
  return out
}

// Throws an error to show.
export function readConfig(text: string): Pasted {
  const root = parse(text)
  if (root?.kind !== 'object') {
    try {
      JSON.parse(text)
    } catch (e) {
      throw new Error(t('config.notJson', { why: e instanceof Error ? e.message : '' }))
    }
    throw new Error(t('config.notObject'))
  }
  const inner = member(root, 'config')
  const name = scalar(member(root, 'name')) ?? null
  return { name, config: flat(inner?.kind === 'object' ? inner : root) }
}

export function writeConfig(config: Record<string, string | null>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)
}
