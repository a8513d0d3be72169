import { useTitle } from '../components/basic'
import { Icon } from '../components/icon'
import { t } from '../i18n/i18n'
import { urls } from '../lib/urls'

export default function NotFoundPage() {
  useTitle(t('error.notFound'))
  return (
    <div class="problem">
      <Icon name="broken" size={44} />
      <h1>404</h1>
      <p class="message">{t('error.notFound')}</p>
      <a class="button primary" href={urls.dashboard()}>
        {t('nav.dashboard')}
      </a>
    </div>
  )
}
