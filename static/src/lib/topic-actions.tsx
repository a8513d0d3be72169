// What can be done to a topic from its row and from its page; each asks first.
import { t } from '../i18n/i18n'
import { api, type Topic } from './api'
import { attempt, confirmed } from './notify'

function ask(before: string, name: string): Promise<boolean> {
  return confirmed(
    <p>
      {before} <strong class="break">{name}</strong>
    </p>,
  )
}

export async function removeTopic(c: string, name: string): Promise<boolean> {
  if (!(await ask(t('topic.askRemove'), name))) return false
  return attempt(() => api.deleteTopic(c, name), t('topic.removed', { name }))
}

export async function clearTopic(c: string, name: string, partition?: number): Promise<boolean> {
  if (!(await ask(t('topic.askClear'), partition === undefined ? name : `${name}-${partition}`))) return false
  return attempt(() => api.purgeTopic(c, name, partition), t('topic.cleared', { name }))
}

export async function recreateTopic(c: string, name: string): Promise<boolean> {
  if (!(await ask(t('topic.askRecreate'), name))) return false
  return attempt(() => api.recreateTopic(c, name), t('topic.recreated', { name }))
}

export function canClear(topic: Topic): boolean {
  return topic.cleanUpPolicy === 'DELETE'
}
