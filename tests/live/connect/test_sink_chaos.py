"""A sink in the middle of everything: records come all the time while it is killed, paused, stopped, given more and fewer
tasks, and shares its group with consumers from outside. Whoever commits an offset has taken what comes before it: every
record is in the file or with one of the consumers."""
import os
import random
import threading
import time

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from kafka_io import producer
from weirproc import wait_until

PAUSE = 0.7


class Writer:
    """Numbers to three topics, as fast as they are acknowledged; goes on over restarts."""

    def __init__(self, weir, topics):
        self.p = producer(weir.bootstrap, message_timeout_ms=120000)
        self.topics, self.acked, self.next, self.stop = topics, set(), 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def done(self, error, message):
        if error is None:
            self.acked.add(message.value().decode())

    def run(self):
        while not self.stop:
            for _ in range(50):
                n, self.next = self.next, self.next + 1
                self.p.produce(random.choice(self.topics), value=str(n), key=str(n), on_delivery=self.done)
            self.p.poll(0.02)

    def end(self):
        self.stop = True
        self.thread.join()
        assert self.p.flush(60) == 0


class Outsider:
    """A consumer in the sink's group for a while: notes what it reads before it commits."""

    def __init__(self, weir, topics, seen):
        self.c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "connect-chaos", "auto.offset.reset": "earliest",
                           "enable.auto.commit": False, "partition.assignment.strategy": "range", "session.timeout.ms": 6000})
        self.seen, self.stop = seen, False
        self.c.subscribe(topics)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop:
            messages = [m for m in self.c.consume(200, 0.1) if m.error() is None]
            self.seen.update(m.value().decode() for m in messages)
            try:
                if messages:
                    self.c.commit(asynchronous=False)
            except KafkaException:
                pass  # a rebalance: read again by whoever has the partition
        self.c.close()

    def end(self):
        self.stop = True
        self.thread.join()


def test_whatever_happens(weir, tmp_path):
    seed = int(os.environ.get("CHAOS_SEED", time.time()))
    print("CHAOS_SEED", seed)
    random.seed(seed)
    out, topics, seen = tmp_path / "out.txt", ["c.a", "c.b", "c.c"], set()
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    for topic in topics:
        admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(30)
    config = {"connector.class": "FileStreamSink", "file": str(out), "topics.regex": "c\\..*", "tasks.max": "2",
              "key.converter": "StringConverter", "value.converter": "StringConverter"}
    weir.create_connector("chaos", config)
    writer, outsider, partitions = Writer(weir, topics), None, 2

    def kill():
        weir.kill()
        weir.start()

    def restart():
        weir.stop()
        weir.start()

    def call(method, path, body=None):
        def go():
            weir.rest(method, "/connectors/chaos" + path, body)
        return go

    def tasks():
        weir.rest("PUT", "/connectors/chaos/config", {**config, "tasks.max": str(random.randint(1, 5))})

    def outside():
        nonlocal outsider
        if outsider:
            outsider.end()
            outsider = None
        else:
            outsider = Outsider(weir, topics, seen)

    def grow():
        nonlocal partitions
        partitions = min(partitions + 1, 5)
        for f in admin.create_partitions([NewPartitions(t, partitions) for t in topics]).values():
            f.exception(30)

    steps = [kill, restart, call("PUT", "/pause"), call("PUT", "/resume"), call("PUT", "/stop"), call("PUT", "/resume"), tasks, tasks,
             call("POST", "/restart?includeTasks=true"), outside, outside, grow]
    for _ in range(int(os.environ.get("CHAOS_STEPS", "25"))):
        random.choice(steps)()
        time.sleep(random.random() * PAUSE)
    if outsider:
        outsider.end()
    writer.end()
    weir.rest("PUT", "/connectors/chaos/resume")
    weir.wait_running("chaos")

    def missing():
        written = set(out.read_text().split("\n")) | seen
        return len(writer.acked - written)

    wait_until(lambda: missing() == 0, 120, 0.5)
    assert writer.acked and not [line for line in out.read_text().splitlines() if not line.isdigit()]

    def lag():
        body = weir.rest("GET", "/api/clusters/local/consumer-groups/connect-chaos", base=weir.web)[1]
        return body.get("consumerLag")

    wait_until(lambda: lag() == 0, 60, 0.2)
