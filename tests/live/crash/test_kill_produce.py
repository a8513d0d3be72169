"""kill -9 under produce load: whatever was acknowledged is stored, once, in order. ROUNDS says how often."""
import collections
import os
import random
import time

import pytest

from kafka_io import producer, read_all
from weirproc import Weir

ROUNDS = int(os.environ.get("ROUNDS", "50"))
PARTITIONS = 3


class Load:
    """Numbers per partition; what the broker acknowledged is remembered."""

    def __init__(self):
        self.next = collections.Counter()
        self.acked = collections.defaultdict(set)

    def run(self, bootstrap, seconds, acks, kill):
        """Produces for so long, then kills in the middle of it."""
        p = producer(bootstrap, acks=acks, linger_ms=1, message_timeout_ms=3000, retries=0)
        def delivered(error, message):
            if error is None:
                self.acked[message.partition()].add(int(message.value().split()[0]))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(200):
                partition = random.randrange(PARTITIONS)
                value = b"%d %s" % (self.next[partition], b"x" * random.choice((10, 100, 1000)))
                try:
                    p.produce("load", value, partition=partition, on_delivery=delivered)
                except BufferError:
                    p.poll(0.05)
                    continue
                self.next[partition] += 1
            p.poll(0)
        kill()
        p.purge()
        p.poll(0.2)
        p.flush(0.5)


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_nothing_acknowledged_is_lost():
    from confluent_kafka.admin import AdminClient, NewTopic
    load = Load()
    with Weir() as w:
        admin = AdminClient({"bootstrap.servers": w.bootstrap})
        admin.create_topics([NewTopic("load", PARTITIONS, config={"segment.bytes": "1048576"})])["load"].result(20)
        for n in range(ROUNDS):
            load.run(w.bootstrap, random.uniform(0.05, 0.4), random.choice(("1", "all")), w.kill)
            w.start()
            if n % 10 == 9 or n == ROUNDS - 1:
                check(w.bootstrap, load, n)
        print(f"{ROUNDS} rounds, {sum(len(a) for a in load.acked.values())} acknowledged records, all there")
        assert sum(len(a) for a in load.acked.values()) > ROUNDS * 10


def check(bootstrap, load, n):
    stored = collections.defaultdict(list)
    for m in read_all(bootstrap, "load", timeout=120):
        stored[m.partition()].append(int(m.value().split()[0]))
    for partition, acked in load.acked.items():
        lost = acked - set(stored[partition])
        assert not lost, f"round {n}, partition {partition}: {len(lost)} acknowledged records are lost, first {min(lost)}"
        assert len(stored[partition]) == len(set(stored[partition])), f"round {n}, partition {partition}: records are doubled"
        assert stored[partition] == sorted(stored[partition]), f"round {n}, partition {partition}: order changed"
