// The few drawings of the page, as paths of 24 by 24.
const PATHS = {
  menu: 'M4 6h16M4 12h16M4 18h16',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM20 20l-4-4',
  kebab: 'M12 5h.01M12 12h.01M12 19h.01',
  close: 'M6 6l12 12M18 6 6 18',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  refresh: 'M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6',
  right: 'M9 6l6 6-6 6',
  down: 'M6 9l6 6 6-6',
  play: 'M7 5l12 7-12 7z',
  pause: 'M8 5v14M16 5v14',
  alert: 'M12 4 2.5 20h19zM12 10v4M12 17h.01',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  broken: 'M4 5h16v10H4zM9 19h6M8 8l3 4M11 8l-3 4M14 8l2 4',
} as const
export type IconName = keyof typeof PATHS

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width={name === 'kebab' ? 3 : 2} stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  )
}
