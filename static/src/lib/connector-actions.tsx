// What can be done to a connector from its row and from its page.
import type { MenuItem } from '../components/menu'
import { t, type Key } from '../i18n/i18n'
import { api, type ConnectorAction, type ConnectorStatus } from './api'
import { attempt, confirmed } from './notify'

interface Target {
  c: string
  connect: string
  name: string
  status: ConnectorStatus
}

const ACTIONS: [ConnectorAction, Key, (state: string) => boolean][] = [
  ['RESUME', 'connector.resume', (state) => state === 'PAUSED' || state === 'STOPPED'],
  ['PAUSE', 'connector.pause', (state) => state !== 'PAUSED' && state !== 'STOPPED'],
  ['STOP', 'connector.stop', (state) => state !== 'STOPPED'],
  ['RESTART', 'connector.restart', () => true],
  ['RESTART_ALL_TASKS', 'connector.restartAll', () => true],
  ['RESTART_FAILED_TASKS', 'connector.restartFailed', () => true],
]

export function connectorActions({ c, connect, name, status }: Target, readOnly: boolean, done: () => void): MenuItem[] {
  return ACTIONS.filter(([, , fits]) => fits(status.state)).map(([action, key]) => ({
    text: t(key),
    disabled: readOnly,
    run: () =>
      void attempt(() => api.connectorAction(c, connect, name, action), t('connector.asked', { action: t(key), name })).then(done),
  }))
}

async function ask(text: string, name: string): Promise<boolean> {
  return confirmed(
    <p>
      {text} <strong class="break">{name}</strong>
    </p>,
  )
}

export function connectorRemovals({ c, connect, name, status }: Target, readOnly: boolean, reload: () => void, gone: () => void): MenuItem[] {
  const reset = async () => {
    if (!(await ask(t('connector.askReset'), name))) return
    if (await attempt(() => api.resetConnector(c, connect, name), t('connector.offsetsReset', { name }))) reload()
  }
  const remove = async () => {
    if (!(await ask(t('connector.askDelete'), name))) return
    if (await attempt(() => api.deleteConnector(c, connect, name), t('connector.deleted', { name }))) gone()
  }
  const stopped = status.state === 'STOPPED'
  return [
    { text: t('connector.reset'), run: () => void reset(), danger: true, disabled: readOnly || !stopped, hint: stopped ? undefined : t('connector.onlyStopped') },
    { text: t('connector.delete'), run: () => void remove(), danger: true, disabled: readOnly },
  ]
}
