// One run of kafkajs against a broker: kafkajs_run.mjs BOOTSTRAP ACTION. Prints one JSON line.
import { createRequire } from 'node:module';
const require = createRequire(process.env.KAFKAJS_FROM || import.meta.url);
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

const [bootstrap, action] = process.argv.slice(2);
const kafka = new Kafka({ clientId: 'js', brokers: [bootstrap], logLevel: logLevel.ERROR, retry: { retries: 8 } });
const admin = kafka.admin();
const out = (value) => console.log(JSON.stringify(value));

async function consume(count) {
  const consumer = kafka.consumer({ groupId: 'js-group', sessionTimeout: 10000 });
  const got = [];
  await consumer.connect();
  await consumer.subscribe({ topic: 'js', fromBeginning: true });
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`only ${got.length} of ${count}`)), 40000);
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        got.push({ partition, key: message.key?.toString() ?? null, value: message.value?.toString() ?? null,
          headers: Object.fromEntries(Object.entries(message.headers).map(([k, v]) => [k, v.toString()])) });
        await consumer.commitOffsets([{ topic, partition, offset: (BigInt(message.offset) + 1n).toString() }]);
        if (got.length === count) { clearTimeout(timer); resolve(); }
      },
    }).catch(reject);
  });
  await consumer.disconnect();
  return got;
}

const actions = {
  async create() {
    await admin.connect();
    const made = await admin.createTopics({ topics: [{ topic: 'js', numPartitions: 3, replicationFactor: 1 }] });
    const again = await admin.createTopics({ topics: [{ topic: 'js' }] });
    const metadata = await admin.fetchTopicMetadata({ topics: ['js'] });
    await admin.disconnect();
    return { made, again, partitions: metadata.topics[0].partitions.length };
  },
  async produce() {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
      const messages = Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: `v${i}`, headers: { n: `${i}` } }));
      await producer.send({ topic: 'js', compression, messages });
    }
    await producer.send({ topic: 'js', acks: -1, messages: [{ key: 'tombstone', value: null }] });
    await producer.disconnect();
    return 201;
  },
  consume: () => consume(201),
  async more() {
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: 'js', messages: [{ value: 'after' }] });
    await producer.disconnect();
    return consume(1);
  },
  async admin() {
    await admin.connect();
    const groups = await admin.listGroups();
    const described = await admin.describeGroups(['js-group']);
    const offsets = await admin.fetchTopicOffsets('js');
    const configs = await admin.describeConfigs({ resources: [{ type: 2, name: 'js', configNames: ['cleanup.policy'] }] });
    const committed = await admin.fetchOffsets({ groupId: 'js-group', topics: ['js'] });
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: 'js', configEntries: [{ name: 'retention.ms', value: '5000' }] }] });
    const cluster = await admin.describeCluster();
    await admin.deleteGroups(['js-group']);
    await admin.deleteTopics({ topics: ['js'] });
    const topics = await admin.listTopics();
    await admin.disconnect();
    return { groups: groups.groups, state: described.groups[0].state, total: offsets.reduce((n, p) => n + Number(p.offset), 0),
      policy: configs.resources[0].configEntries[0].configValue,
      committed: committed[0].partitions.reduce((n, p) => n + Number(p.offset), 0), controller: cluster.controller, topics };
  },
};

out(await actions[action]());
