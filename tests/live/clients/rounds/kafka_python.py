"""kafka-python for scenario.py: kafka_python.py BOOTSTRAP."""
import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata
from scenario import run


class Client:
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, bootstrap):
        self.bootstrap, self.producers = bootstrap, {}
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def create(self, topic, partitions):
        self.admin.create_topics([NewTopic(topic, partitions, 1)])

    def produce(self, topic, codec, values):
        if codec not in self.producers:
            self.producers[codec] = KafkaProducer(bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec,
                                                  acks="all", retries=50)
        sent = [self.producers[codec].send(topic, key=b"k%d" % i, value=v.encode(), headers=[("h", b"1")]) for i, v in enumerate(values)]
        for s in sent:
            s.get(30)

    def join(self, topic, group, name):
        return Member(self.bootstrap, topic, group, name)

    def committed(self, topic, group):
        c = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group)
        found = {p: c.committed(TopicPartition(topic, p)) for p in range(4)}
        c.close()
        return found

    def close(self):
        for p in self.producers.values():
            p.close()
        self.admin.close()


class Member:
    def __init__(self, bootstrap, topic, group, name):
        self.c = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, client_id=name, auto_offset_reset="earliest",
                               enable_auto_commit=False, heartbeat_interval_ms=200)
        self.got, self.took = [], {}

    def poll(self):
        for records in self.c.poll(300).values():
            self.got += records

    def owned(self):
        return sorted(p.partition for p in self.c.assignment())

    def take(self):
        got, self.got = self.got, []
        for r in got:
            self.took[TopicPartition(r.topic, r.partition)] = OffsetAndMetadata(r.offset + 1, "", -1)
        return [r.value.decode() for r in got]

    def commit(self):
        took, self.took = self.took, {}
        if took:
            self.c.commit(took)

    def leave(self):
        self.c.close()


run(Client(sys.argv[1]))
