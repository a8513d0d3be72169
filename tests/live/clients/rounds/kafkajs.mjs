// kafkajs: kafkajs.mjs BOOTSTRAP does the steps of scenario.py. It brings gzip alone of the codecs.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
const require = createRequire(process.env.KAFKAJS_FROM || import.meta.url);
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

const topic = 'rounds', groupId = 'rounds-group', batch = 40, patience = 30000, padding = ':' + 'x'.repeat(200);
const kafka = new Kafka({ clientId: 'js', brokers: [process.argv[2]], logLevel: logLevel.NOTHING, retry: { retries: 20, maxRetryTime: 500 } });
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
const admin = kafka.admin();
const say = (step, more = {}) => console.log(JSON.stringify({ step, ...more }));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, done) {
  for (const end = Date.now() + patience; !await done(); await sleep(20))
    if (Date.now() > end) throw new Error(`${what} did not come within ${patience} ms`);
}

async function produce(name, compression) {
  const messages = Array.from({ length: batch }, (_, i) => ({ key: `k${i}`, value: `${name}-${i}${padding}`, headers: { h: '1' } }));
  await producer.send({ topic, acks: -1, compression, messages });
  say('produced', { codec: compression === CompressionTypes.GZIP ? 'gzip' : 'none', count: batch });
}

async function join(name) {
  const m = { got: [], took: new Map(), mine: [] };
  m.consumer = kafka.consumer({ groupId, heartbeatInterval: 200, sessionTimeout: 30000, maxWaitTimeInMs: 200 });
  m.consumer.on(m.consumer.events.GROUP_JOIN, (e) => { m.mine = e.payload.memberAssignment[topic] ?? []; });
  m.consumer.on(m.consumer.events.REBALANCING, () => { m.mine = []; });
  await m.consumer.connect();
  await m.consumer.subscribe({ topic, fromBeginning: true });
  await m.consumer.run({ autoCommit: false, eachMessage: async (r) => { m.got.push(r); } });
  m.take = () => {
    const got = m.got.splice(0);
    for (const r of got) m.took.set(r.partition, (BigInt(r.message.offset) + 1n).toString());
    return got.map((r) => r.message.value.toString().replace(padding, ''));
  };
  m.commit = async () => {
    const offsets = [...m.took].map(([partition, offset]) => ({ topic, partition, offset }));
    m.took.clear();
    if (offsets.length) await m.consumer.commitOffsets(offsets);
  };
  return m;
}

async function consume(count, ...members) {
  const got = [];
  await until(`${count} values`, () => {
    for (const m of members) got.push(...m.take());
    return new Set(got).size >= count;
  });
  say('consumed', { values: got });
}

async function owned(counts, ...members) {
  await until(`shares of ${counts} partitions`, () => members.every((m, i) => m.mine.length === counts[i]));
  say('owned', { partitions: members.map((m) => [...m.mine].sort()) });
}

await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 4, replicationFactor: 1 }] });
say('created');
await producer.connect();
await produce('none', CompressionTypes.None);
await produce('gzip', CompressionTypes.GZIP);
const a = await join('a');
await consume(2 * batch, a);
await owned([4], a);
await a.commit();
const b = await join('b');
await owned([2, 2], a, b);
await produce('two', CompressionTypes.None);
await consume(batch, a, b);
await a.commit();
await b.commit();
await b.consumer.disconnect();
await owned([4], a);
say('restart');
await new Promise((done) => createInterface({ input: process.stdin }).once('line', done).once('close', done));
await produce('after', CompressionTypes.None);
await consume(batch, a);
await a.commit();
await a.consumer.disconnect();
const committed = await admin.fetchOffsets({ groupId, topics: [topic] });
say('committed', { offsets: Object.fromEntries(committed[0].partitions.map((p) => [p.partition, Number(p.offset)])) });
await producer.disconnect();
await admin.disconnect();
say('done');
process.exit(0);
