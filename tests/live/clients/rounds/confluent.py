"""confluent-kafka (librdkafka) for scenario.py: confluent.py BOOTSTRAP."""
import sys

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from scenario import run


class Client:
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, bootstrap):
        self.conf = {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 500}
        self.admin = AdminClient(self.conf)
        self.producers = {}

    def create(self, topic, partitions):
        self.admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(10)

    def produce(self, topic, codec, values):
        if codec not in self.producers:
            self.producers[codec] = Producer({**self.conf, "compression.type": codec, "enable.idempotence": True})
        p, errors = self.producers[codec], []
        for i, v in enumerate(values):
            p.produce(topic, v, key=f"k{i}", headers={"h": b"1"}, on_delivery=lambda e, m: errors.append(e) if e else None)
        left = p.flush(30)
        assert left == 0 and not errors, (left, errors)

    def join(self, topic, group, name):
        return Member({**self.conf, "group.id": group, "client.id": name, "auto.offset.reset": "earliest",
                       "enable.auto.commit": False, "heartbeat.interval.ms": 200}, topic)

    def committed(self, topic, group):
        found = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(10)
        return {p.partition: p.offset for p in found.topic_partitions}

    def close(self):
        pass


class Member:
    def __init__(self, conf, topic):
        self.c, self.got, self.took = Consumer(conf), [], {}
        self.c.subscribe([topic])

    def poll(self):
        for m in self.c.consume(500, 0.05):
            if m.error() is None:
                self.got.append(m)

    def owned(self):
        return sorted(p.partition for p in self.c.assignment())

    def take(self):
        got, self.got = self.got, []
        for m in got:
            self.took[m.topic(), m.partition()] = m.offset() + 1
        return [m.value().decode() for m in got]

    def commit(self):
        took, self.took = self.took, {}
        if took:
            self.c.commit(offsets=[TopicPartition(t, p, o) for (t, p), o in took.items()], asynchronous=False)

    def leave(self):
        self.c.close()


run(Client(sys.argv[1]))
