// The server's REST interface: the shapes of kafka-ui that these pages read, and one function for each call.
import { request } from './http'

export interface Cluster {
  name: string
  status: 'ONLINE' | 'OFFLINE' | 'INITIALIZING'
  brokerCount: number
  onlinePartitionCount: number
  topicCount: number
  bytesInPerSec: number | null
  bytesOutPerSec: number | null
  readOnly: boolean
  version: string
  features: string[]
}
export interface Info {
  build: { version: string; commitId: string | null }
}
export interface ClusterStats {
  brokerCount: number
  activeControllers: number | null
  onlinePartitionCount: number
  offlinePartitionCount: number
  inSyncReplicasCount: number
  outOfSyncReplicasCount: number
  underReplicatedPartitionCount: number
  diskUsage: { brokerId: number; segmentSize: number; segmentCount: number }[]
  version: string
}
export interface Broker {
  id: number
  host: string
  port: number
  partitionsLeader: number
  partitions: number
  inSyncPartitions: number
  partitionsSkew: number | null
  leadersSkew: number | null
}
export interface Setting {
  name: string
  value: string | null
  defaultValue?: string | null
  source: string
  isSensitive: boolean
  isReadOnly: boolean
  doc?: string | null
}
export interface Partition {
  partition: number
  leader: number
  replicas: { broker: number; leader: boolean; inSync: boolean }[]
  offsetMin: number
  offsetMax: number
}
export interface Topic {
  name: string
  internal: boolean
  partitionCount: number
  replicationFactor: number
  replicas: number
  inSyncReplicas: number
  segmentSize: number
  segmentCount: number
  underReplicatedPartitions: number
  messagesCount: number
  cleanUpPolicy: 'DELETE' | 'COMPACT' | 'COMPACT_DELETE' | 'UNKNOWN'
  partitions: Partition[]
}
export interface TopicPage {
  pageCount: number
  topics: Topic[]
}
export interface NewTopic {
  name: string
  partitions: number
  replicationFactor: number
  configs: Record<string, string>
}
export interface NewMessage {
  partition: number | null
  key: string | null
  value: string | null
  headersList: { key: string; value: string }[] // in order, names may repeat
  keySerde: string
  valueSerde: string
}
export interface Serde {
  name: string
  preferred: boolean
}
export interface Serdes {
  key: Serde[]
  value: Serde[]
}
export interface Group {
  groupId: string
  members: number
  topics: number
  partitionAssignor: string | null
  state: string
  coordinator: { id: number; host: string; port: number } | null
  consumerLag: number | null
}
export interface GroupPartition {
  topic: string
  partition: number
  currentOffset: number | null
  endOffset: number | null
  consumerLag: number | null
  consumerId: string | null
  host: string | null
}
export interface GroupDetails extends Group {
  partitions: GroupPartition[]
}
export interface GroupPage {
  pageCount: number
  consumerGroups: Group[]
}
export type ResetType = 'EARLIEST' | 'LATEST' | 'TIMESTAMP' | 'OFFSET'
export interface Reset {
  topic: string
  resetType: ResetType
  partitions: number[]
  resetToTimestamp?: number
  partitionsOffsets?: { partition: number; offset: number }[]
}
export interface Connect {
  name: string
  address: string
  connectorsCount: number | null
  failedConnectorsCount: number | null
  tasksCount: number | null
  failedTasksCount: number | null
  version: string | null
}
export interface ConnectorStatus {
  state: string
  workerId: string | null
  trace: string | null
}
export interface ConnectorRow {
  connect: string
  name: string
  connectorClass: string | null
  type: string
  topics: string[]
  status: ConnectorStatus
  tasksCount: number
  failedTasksCount: number
  consumer: string | null
  notConnectedSince: number | null
  recentWarnings: number // of the last hour
}
export interface Connector {
  name: string
  connect: string
  type: string
  config: Record<string, string | null>
  status: ConnectorStatus
  topics: string[]
  consumer: string | null
  notConnectedSince: number | null
}
// As the connector keeps them: {"server": ...} and {"file": ..., "pos": ...}, or a partition of a topic.
export interface ConnectorOffset {
  partition: Record<string, unknown>
  offset: Record<string, unknown>
}
export interface Task {
  id: { connector: string; task: number }
  status: { id: number; state: string; workerId: string | null; trace: string | null }
}
export interface Warning {
  at: number
  level: string
  task: number
  text: string
}
// Of a connector's own: members are attributes, or groups of them.
export interface Progress {
  task: number
  [member: string]: unknown
}
export type ConnectorAction = 'RESTART' | 'RESTART_ALL_TASKS' | 'RESTART_FAILED_TASKS' | 'PAUSE' | 'RESUME' | 'STOP'
export interface Validation {
  errorCount: number
  configs: { value: { name: string; errors: string[] } }[]
}

export interface Lab {
  lab: boolean
  brokers: { id: number; running: boolean; host: string; port: number; leaders: number; replicas: number; inSync: number }[]
}

const enc = encodeURIComponent
const at = (cluster: string, ...rest: (string | number)[]) =>
  ['api/clusters', enc(cluster), ...rest.map((part) => enc(part))].join('/')
const connectorAt = (cluster: string, connect: string, name: string, ...rest: (string | number)[]) =>
  at(cluster, 'connects', connect, 'connectors', name, ...rest)

type Signal = AbortSignal | undefined

export const api = {
  info: () => request<Info>('GET', 'api/info'),
  clusters: (signal?: Signal) => request<Cluster[]>('GET', 'api/clusters', { signal }),
  stats: (c: string, signal?: Signal) => request<ClusterStats>('GET', at(c, 'stats'), { signal }),
  brokers: (c: string, signal?: Signal) => request<Broker[]>('GET', at(c, 'brokers'), { signal }),
  lab: (signal?: Signal) => request<Lab>('GET', 'api/lab', { signal }),
  labBroker: (id: number, action: 'start' | 'stop') => request<Lab>('POST', `api/lab/brokers/${id}/${action}`),
  labElect: () => request<Lab>('POST', 'api/lab/elect'),
  brokerConfigs: (c: string, id: number, signal?: Signal) => request<Setting[]>('GET', at(c, 'brokers', id, 'configs'), { signal }),

  topics: (c: string, query: Record<string, string | number | boolean>, signal?: Signal) =>
    request<TopicPage>('GET', at(c, 'topics'), { query, signal }),
  topic: (c: string, name: string, signal?: Signal) => request<Topic>('GET', at(c, 'topics', name), { signal }),
  createTopic: (c: string, topic: NewTopic) => request<Topic>('POST', at(c, 'topics'), { body: topic }),
  alterTopic: (c: string, name: string, configs: Record<string, string | null>) =>
    request<Topic>('PATCH', at(c, 'topics', name), { body: { configs } }),
  addPartitions: (c: string, name: string, total: number) =>
    request<unknown>('PATCH', at(c, 'topics', name, 'partitions'), { body: { totalPartitionsCount: total } }),
  deleteTopic: (c: string, name: string) => request<void>('DELETE', at(c, 'topics', name)),
  recreateTopic: (c: string, name: string) => request<Topic>('POST', at(c, 'topics', name)),
  purgeTopic: (c: string, name: string, partition?: number) =>
    request<void>('DELETE', at(c, 'topics', name, 'messages'), { query: { partitions: partition } }),
  topicConfigs: (c: string, name: string, signal?: Signal) => request<Setting[]>('GET', at(c, 'topics', name, 'config'), { signal }),
  topicGroups: (c: string, name: string, signal?: Signal) => request<Group[]>('GET', at(c, 'topics', name, 'consumer-groups'), { signal }),
  topicConnectors: (c: string, name: string, signal?: Signal) =>
    request<ConnectorRow[]>('GET', at(c, 'topics', name, 'connectors'), { signal }),
  serdes: (c: string, name: string, use: 'SERIALIZE' | 'DESERIALIZE') =>
    request<Serdes>('GET', at(c, 'topics', name, 'serdes'), { query: { use } }),
  produce: (c: string, name: string, message: NewMessage) =>
    request<{ partition: number; offset: number } | undefined>('POST', at(c, 'topics', name, 'messages'), { body: message }),
  messages: (c: string, name: string) => at(c, 'topics', name, 'messages', 'v2'),

  groups: (c: string, query: Record<string, string | number>, signal?: Signal) =>
    request<GroupPage>('GET', at(c, 'consumer-groups', 'paged'), { query, signal }),
  group: (c: string, id: string, signal?: Signal) => request<GroupDetails>('GET', at(c, 'consumer-groups', id), { signal }),
  deleteGroup: (c: string, id: string) => request<void>('DELETE', at(c, 'consumer-groups', id)),
  resetGroup: (c: string, id: string, reset: Reset) => request<void>('POST', at(c, 'consumer-groups', id, 'offsets'), { body: reset }),
  forgetTopic: (c: string, id: string, topic: string) => request<void>('DELETE', at(c, 'consumer-groups', id, 'topics', topic)),

  connects: (c: string, signal?: Signal) => request<Connect[]>('GET', at(c, 'connects'), { query: { withStats: true }, signal }),
  connectors: (c: string, signal?: Signal) => request<ConnectorRow[]>('GET', at(c, 'connectors'), { signal }),
  connector: (c: string, x: string, n: string, signal?: Signal) => request<Connector>('GET', connectorAt(c, x, n), { signal }),
  warnings: (c: string, x: string, n: string, signal?: Signal) => request<Warning[]>('GET', connectorAt(c, x, n, 'warnings'), { signal }),
  tasks: (c: string, x: string, n: string, signal?: Signal) => request<Task[]>('GET', connectorAt(c, x, n, 'tasks'), { signal }),
  connectorConfig: (c: string, x: string, n: string, signal?: Signal) =>
    request<Record<string, string | null>>('GET', connectorAt(c, x, n, 'config'), { signal }),
  createConnector: (c: string, x: string, name: string, config: Record<string, string | null>) =>
    request<Connector>('POST', at(c, 'connects', x, 'connectors'), { body: { name, config }, timeout: 60_000 }),
  putConnectorConfig: (c: string, x: string, n: string, config: Record<string, string | null>) =>
    request<Connector>('PUT', connectorAt(c, x, n, 'config'), { body: config, timeout: 60_000 }),
  connectorAction: (c: string, x: string, n: string, action: ConnectorAction) =>
    request<void>('POST', connectorAt(c, x, n, 'action', action)),
  restartTask: (c: string, x: string, n: string, task: number) =>
    request<void>('POST', connectorAt(c, x, n, 'tasks', task, 'action', 'restart')),
  deleteConnector: (c: string, x: string, n: string) => request<void>('DELETE', connectorAt(c, x, n)),
  connectorOffsets: (c: string, x: string, n: string, signal?: Signal) =>
    request<{ offsets: ConnectorOffset[] }>('GET', connectorAt(c, x, n, 'offsets'), { signal }),
  connectorProgress: (c: string, x: string, n: string, signal?: Signal) =>
    request<Progress[]>('GET', connectorAt(c, x, n, 'progress'), { signal }),
  resetConnector: (c: string, x: string, n: string) => request<void>('DELETE', connectorAt(c, x, n, 'offsets')),
  plugins: (c: string, x: string, signal?: Signal) => request<{ class: string }[]>('GET', at(c, 'connects', x, 'plugins'), { signal }),
  validate: (c: string, x: string, plugin: string, config: Record<string, string | null>) =>
    request<Validation>('PUT', at(c, 'connects', x, 'plugins', plugin, 'config', 'validate'), { body: config, timeout: 60_000 }),
}
