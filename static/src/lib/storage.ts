// What the browser remembers for this user. Keys are prefixed: other tools share the origin localhost:8080.
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`weir:${key}`)
  } catch {
    return null // storage is switched off
  }
}

export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`weir:${key}`)
    else localStorage.setItem(`weir:${key}`, value)
  } catch {
    // storage is switched off or full: the choice lasts until the page is closed
  }
}
