// What a trace of Java's form says first: its last "Caused by", the fault itself, which stands at the end of what only tells who noticed it.
export interface Told {
  first: string
  rest: string // the trace in its own order; '' when the first line was all of it
}

const CAUSED = 'Caused by: '

export function told(trace: string): Told {
  const lines = trace.split('\n')
  const cause = lines.filter((line) => line.startsWith(CAUSED)).pop()
  if (cause !== undefined) return { first: cause.slice(CAUSED.length), rest: trace }
  return { first: lines[0] ?? '', rest: lines.slice(1).join('\n') }
}
