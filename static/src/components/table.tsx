// The table of every list page: sortable heads, selectable rows, a text when there is nothing to show.
import type { ComponentChildren } from 'preact'
import { t } from '../i18n/i18n'
import { place, setQuery } from '../lib/router'

export interface Column<R> {
  id: string
  head: string
  cell: (row: R) => ComponentChildren
  sort?: string // name of the order, as the URL and the server know it
  number?: boolean
  narrow?: boolean
  wide?: boolean // takes the room that is left
}
export interface Sort {
  by: string
  descending: boolean
}

export function querySort(fallback: string): Sort {
  const query = place.value.query
  return { by: query.get('sortBy') ?? fallback, descending: query.get('sortDirection') === 'desc' }
}

function toggleSort(sort: Sort, by: string): void {
  const descending = sort.by === by && !sort.descending
  setQuery({ sortBy: by, sortDirection: descending ? 'desc' : 'asc', page: null })
}

// Sorts a list that the server sends as a whole.
export function sorted<R>(rows: R[], sort: Sort, values: Record<string, (row: R) => string | number>): R[] {
  const value = values[sort.by]
  if (!value) return rows
  const sign = sort.descending ? -1 : 1
  return [...rows].sort((a, b) => {
    const x = value(a)
    const y = value(b)
    return sign * (x < y ? -1 : x > y ? 1 : 0)
  })
}

interface Selection<R> {
  has: (row: R) => boolean
  can: (row: R) => boolean
  set: (row: R, on: boolean) => void
  setAll: (on: boolean) => void
}
interface Props<R> {
  caption: string
  rows: R[]
  columns: Column<R>[]
  rowKey: (row: R) => string
  empty: string
  sort?: Sort
  select?: Selection<R>
}

function Head<R>({ column, sort }: { column: Column<R>; sort: Sort | undefined }) {
  const order = column.sort
  const sortedBy = order !== undefined && sort?.by === order
  const direction = sort?.descending ? 'descending' : 'ascending'
  return (
    <th scope="col" class={classOf(column)} aria-sort={sortedBy ? direction : undefined}>
      {order !== undefined && sort ? (
        <button type="button" class="sort" onClick={() => toggleSort(sort, order)}>
          {column.head}
          <span class="arrow" aria-hidden="true">
            {sortedBy ? (sort.descending ? '▼' : '▲') : '↕'}
          </span>
        </button>
      ) : (
        column.head || <span class="offscreen">{t('message.menu')}</span>
      )}
    </th>
  )
}

function classOf<R>(column: Column<R>): string {
  return [column.number && 'number', column.narrow && 'narrow', column.wide && 'wide'].filter(Boolean).join(' ')
}

export function Table<R>({ caption, rows, columns, rowKey, empty, sort, select }: Props<R>) {
  const selectable = select ? rows.filter(select.can) : []
  return (
    <div class="scroll">
      <table class="list">
        <caption class="offscreen">{caption}</caption>
        <thead>
          <tr>
            {select && (
              <th scope="col" class="narrow">
                <input
                  type="checkbox"
                  aria-label={t('table.selectAll')}
                  disabled={selectable.length === 0}
                  checked={selectable.length > 0 && selectable.every(select.has)}
                  onChange={(e) => select.setAll(e.currentTarget.checked)}
                />
              </th>
            )}
            {columns.map((column) => (
              <Head key={column.id} column={column} sort={sort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {select && (
                <td class="narrow">
                  <input
                    type="checkbox"
                    aria-label={t('table.select', { name: rowKey(row) })}
                    disabled={!select.can(row)}
                    checked={select.has(row)}
                    onChange={(e) => select.set(row, e.currentTarget.checked)}
                  />
                </td>
              )}
              {columns.map((column) => (
                <td key={column.id} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr>
              <td class="empty" colSpan={columns.length + (select ? 1 : 0)}>
                {empty}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  )
}
