// The search box above a list: what is typed goes into the URL after half a second, or at once with Enter. While a
// Korean or other composed character is being typed, nothing is sent.
import { useEffect, useRef, useState } from 'preact/hooks'
import { place, setQuery } from '../lib/router'
import { Icon } from './icon'

interface Props {
  label: string
  name?: string // of the query value
}

export function Search({ label, name = 'q' }: Props) {
  const inUrl = place.value.query.get(name) ?? ''
  const [typed, setTyped] = useState(inUrl)
  const timer = useRef<number>()
  const sent = useRef(inUrl)

  useEffect(() => {
    if (inUrl !== sent.current) {
      sent.current = inUrl
      setTyped(inUrl)
    }
  }, [inUrl])
  useEffect(() => () => window.clearTimeout(timer.current), [])

  const send = (text: string) => {
    window.clearTimeout(timer.current)
    sent.current = text
    setQuery({ [name]: text, page: null, cursor: null })
  }
  const type = (text: string, composing: boolean) => {
    setTyped(text)
    window.clearTimeout(timer.current)
    if (!composing) timer.current = window.setTimeout(() => send(text), 500)
  }
  return (
    <div class="search">
      <Icon name="search" />
      <input
        type="search"
        placeholder={label}
        aria-label={label}
        value={typed}
        autocomplete="off"
        spellcheck={false}
        onInput={(e) => type(e.currentTarget.value, e.isComposing)}
        onCompositionEnd={(e) => type(e.currentTarget.value, false)}
        onKeyDown={(e) => {
          if (e.key === 'Enter' && !e.isComposing) send(e.currentTarget.value)
        }}
      />
    </div>
  )
}
