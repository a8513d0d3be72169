"""aiokafka for scenario.py: aiokafka_round.py BOOTSTRAP. The library's loop runs in a thread of its own."""
import asyncio
import sys
import threading

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from scenario import run

loop = asyncio.new_event_loop()


def wait(coroutine, timeout=30):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout)


class Client:
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, bootstrap):
        self.bootstrap, self.producers = bootstrap, {}

    async def admin(self, call):
        a = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await a.start()
        try:
            return await call(a)
        finally:
            await a.close()

    def create(self, topic, partitions):
        wait(self.admin(lambda a: a.create_topics([NewTopic(topic, partitions, 1)])))

    async def send(self, topic, codec, values):
        if codec not in self.producers:
            self.producers[codec] = AIOKafkaProducer(bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec,
                                                     enable_idempotence=True)
            await self.producers[codec].start()
        sent = [await self.producers[codec].send(topic, v.encode(), key=b"k%d" % i, headers=[("h", b"1")]) for i, v in enumerate(values)]
        await asyncio.gather(*sent)

    def produce(self, topic, codec, values):
        wait(self.send(topic, codec, values))

    def join(self, topic, group, name):
        return Member(self.bootstrap, topic, group, name)

    def committed(self, topic, group):
        found = wait(self.admin(lambda a: a.list_consumer_group_offsets(group)))
        return {p.partition: o.offset for p, o in found.items()}

    def close(self):
        for p in self.producers.values():
            wait(p.stop())


class Member:
    def __init__(self, bootstrap, topic, group, name):
        self.got, self.took = [], {}

        async def start():
            self.c = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, client_id=name, auto_offset_reset="earliest",
                                      enable_auto_commit=False, heartbeat_interval_ms=200)
            await self.c.start()
        wait(start())

    def poll(self):
        for records in wait(self.c.getmany(timeout_ms=50)).values():
            self.got += records

    def owned(self):
        return sorted(p.partition for p in self.c.assignment())

    def take(self):
        got, self.got = self.got, []
        for r in got:
            self.took[TopicPartition(r.topic, r.partition)] = r.offset + 1
        return [r.value.decode() for r in got]

    def commit(self):
        took, self.took = self.took, {}
        if took:
            wait(self.c.commit(took))

    def leave(self):
        wait(self.c.stop())


threading.Thread(target=loop.run_forever, daemon=True).start()
run(Client(sys.argv[1]))
