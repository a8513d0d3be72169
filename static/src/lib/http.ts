// One request to the server: JSON in, JSON out, errors with the server's own message. Addresses are relative to
// the document's base, so that the page also works behind a path of a proxy.
import { t } from '../i18n/i18n'

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>

export function address(path: string, query: Query = {}): URL {
  const url = new URL(path, document.baseURI)
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') url.searchParams.set(name, String(value))
  return url
}

export async function failure(response: Response): Promise<ApiError> {
  const text = await response.text()
  try {
    const body = JSON.parse(text) as { code?: number; message?: string }
    if (body.message) return new ApiError(response.status, body.code ?? response.status, body.message)
  } catch {
    // not the server's own error body
  }
  return new ApiError(response.status, response.status, text.slice(0, 2000) || `${response.status} ${response.statusText}`)
}

interface Options {
  query?: Query
  body?: unknown
  signal?: AbortSignal
  timeout?: number
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const limit = AbortSignal.timeout(options.timeout ?? 15_000)
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit
  let response: Response
  try {
    response = await fetch(address(path, options.query), {
      method,
      signal,
      headers: options.body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    })
  } catch (e) {
    if (options.signal?.aborted) throw e
    throw new ApiError(0, 0, t(limit.aborted ? 'error.timeout' : 'error.offline'))
  }
  if (!response.ok) throw await failure(response)
  const text = await response.text()
  return (text ? JSON.parse(text) : undefined) as T
}
