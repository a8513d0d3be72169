// Addresses of the pages, relative to the document's base: kafka-ui's, so that its links and screenshots fit.
const enc = encodeURIComponent

export const urls = {
  dashboard: () => 'ui/clusters',
  brokers: (c: string) => `ui/clusters/${enc(c)}/brokers`,
  broker: (c: string, id: number) => `ui/clusters/${enc(c)}/brokers/${id}`,
  topics: (c: string) => `ui/clusters/${enc(c)}/all-topics`,
  topicCreate: (c: string) => `ui/clusters/${enc(c)}/all-topics/create-new-topic`,
  topicCopy: (c: string, t: string) => `ui/clusters/${enc(c)}/all-topics/copy?name=${enc(t)}`,
  topic: (c: string, t: string, tab = '') => `ui/clusters/${enc(c)}/all-topics/${enc(t)}${tab && `/${tab}`}`,
  groups: (c: string) => `ui/clusters/${enc(c)}/consumer-groups`,
  group: (c: string, id: string, tab = '') => `ui/clusters/${enc(c)}/consumer-groups/${enc(id)}${tab && `/${tab}`}`,
  connect: (c: string, tab = '') => `ui/clusters/${enc(c)}/kafka-connect${tab && `/${tab}`}`,
  connectorCreate: (c: string) => `ui/clusters/${enc(c)}/create-new`,
  connector: (c: string, x: string, n: string, tab = '') =>
    `ui/clusters/${enc(c)}/connects/${enc(x)}/connectors/${enc(n)}${tab && `/${tab}`}`,
}
