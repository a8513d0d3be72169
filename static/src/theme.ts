// Runs before the first paint, so that the page does not flash in the wrong colours.
const stored = localStorage.getItem('weir:theme')
if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored
