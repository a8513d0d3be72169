// The pages of a long list; nothing when there is one page only.
import { t } from '../i18n/i18n'
import { place, setQuery } from '../lib/router'
import { Icon } from './icon'

export const PER_PAGE = 25

export function queryPage(): number {
  const page = Number(place.value.query.get('page') ?? 1)
  return Number.isInteger(page) && page > 0 ? page : 1
}

export function Pager({ pages }: { pages: number }) {
  const page = queryPage()
  if (pages <= 1 && page === 1) return null
  const go = (to: number) => setQuery({ page: String(Math.min(Math.max(to, 1), Math.max(pages, 1))) }, false)
  return (
    <nav class="pager" aria-label={t('pager.label')}>
      <button type="button" class="button" disabled={page <= 1} onClick={() => go(1)} aria-label={t('pager.first')}>
        ⇤
      </button>
      <button type="button" class="button" disabled={page <= 1} onClick={() => go(page - 1)}>
        <span class="turn">
          <Icon name="right" />
        </span>
        {t('pager.previous')}
      </button>
      <button type="button" class="button" disabled={page >= pages} onClick={() => go(page + 1)}>
        {t('pager.next')}
        <Icon name="right" />
      </button>
      <button type="button" class="button" disabled={page >= pages} onClick={() => go(pages)} aria-label={t('pager.last')}>
        ⇥
      </button>
      <label class="inline">
        {t('pager.goTo')}
        <input
          type="number"
          min={1}
          max={pages}
          value={page}
          onChange={(e) => go(Number(e.currentTarget.value) || 1)}
        />
      </label>
      <span class="muted">{t('pager.of', { page, pages })}</span>
    </nav>
  )
}
