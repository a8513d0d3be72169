import { render } from 'preact'
import { App } from './app'
import { watchClusters } from './lib/clusters'
import { startRouter } from './lib/router'
import './styles/base.css'
import './styles/layout.css'
import './styles/parts.css'
import './styles/messages.css'

const root = document.getElementById('app')
if (root) {
  startRouter()
  watchClusters()
  render(<App />, root)
}
