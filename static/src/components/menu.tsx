// A button that opens a list of actions, as the ARIA menu-button pattern has it.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Icon } from './icon'

export interface MenuItem {
  text: string
  run: () => void
  danger?: boolean
  disabled?: boolean
  hint?: string
}
interface Props {
  label: string
  items: MenuItem[]
  class?: string
  children?: ComponentChildren // of the button; three dots when left out
}

const WIDTH = 230

export function Menu({ label, items, class: className = 'button quiet', children }: Props) {
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const list = useRef<HTMLUListElement>(null)

  useEffect(() => {
    const menu = list.current
    if (!open || !menu || !button.current) return
    const at = button.current.getBoundingClientRect()
    const below = at.bottom + menu.offsetHeight + 8 < window.innerHeight
    menu.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - menu.offsetHeight - 4)}px`
    menu.style.left = `${Math.max(8, Math.min(at.right - WIDTH, window.innerWidth - WIDTH - 8))}px`
    menu.querySelector('button')?.focus()
    const close = (e: Event) => {
      if (!menu.contains(e.target as Node) && !button.current?.contains(e.target as Node)) setOpen(false)
    }
    document.addEventListener('pointerdown', close)
    window.addEventListener('scroll', close, true)
    window.addEventListener('resize', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      window.removeEventListener('scroll', close, true)
      window.removeEventListener('resize', close)
    }
  }, [open])

  const onKey = (e: KeyboardEvent) => {
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])]
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement)
    const to: Record<string, number> = { ArrowDown: now + 1, ArrowUp: now - 1 + buttons.length, Home: 0, End: buttons.length - 1 }
    const next = to[e.key]
    if (e.key === 'Escape' || e.key === 'Tab') {
      setOpen(false)
      button.current?.focus()
      if (e.key === 'Escape') e.preventDefault()
    } else if (next !== undefined) {
      e.preventDefault()
      buttons[next % buttons.length]?.focus()
    }
  }
  return (
    <div class="menu">
      <button
        ref={button}
        type="button"
        class={className}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={children ? undefined : label}
        onClick={() => setOpen(!open)}
      >
        {children ?? <Icon name="kebab" />}
      </button>
      {open && (
        <ul ref={list} role="menu" aria-label={label} onKeyDown={onKey}>
          {items.map((item) => (
            <li key={item.text} role="none">
              <button
                type="button"
                role="menuitem"
                class={item.danger ? 'danger' : undefined}
                aria-disabled={item.disabled}
                title={item.hint}
                onClick={() => {
                  if (item.disabled) return
                  setOpen(false)
                  button.current?.focus()
                  item.run()
                }}
              >
                {item.text}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
