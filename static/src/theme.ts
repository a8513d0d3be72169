// Runs before the first paint, so that the page does not flash in the wrong colours. Imports nothing: it is not
// a module, and what it shared with the page would be one.
try {
  const stored = localStorage.getItem('weir:theme')
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored
} catch {
  // storage is switched off: the system's colours
}
