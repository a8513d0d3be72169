// Characters that hide or reorder text: control characters, direction overrides, zero-width ones and lone
// surrogates. Cuts a text into plain pieces and such characters, which are then shown as escapes.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const MAX_PIECES = 400

export interface Piece {
  text: string
  hidden: boolean
}

const escape = (c: string) => `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`

export function pieces(text: string): Piece[] {
  const out: Piece[] = []
  let from = 0
  for (const found of text.matchAll(HIDDEN)) {
    if (out.length >= MAX_PIECES) break
    if (found.index > from) out.push({ text: text.slice(from, found.index), hidden: false })
    out.push({ text: escape(found[0]), hidden: true })
    from = found.index + found[0].length
  }
  if (from < text.length) out.push({ text: text.slice(from).replace(HIDDEN, escape), hidden: false })
  return out
}
