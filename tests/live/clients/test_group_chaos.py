"""Ten consumers of one group that start and stop at random while records come in, and weir killed between: every record is
seen at least once, and no partition has two owners at a time. CHAOS_SECONDS says how long a run is."""
import os
import random
import threading
import time

import pytest
from clienttools import missing

from weirproc import wait_until

try:
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient, NewTopic
except ImportError:
    Consumer = None

PARTITIONS, MEMBERS, STATIC = 12, 10, 3


class Chaos:
    def __init__(self, weir, strategy, seed):
        self.weir, self.strategy, self.chance = weir, strategy, random.Random(seed)
        self.lock, self.owners, self.seen, self.faults = threading.Lock(), {}, set(), []
        self.produced, self.starts = 0, 0
        self.producing, self.consuming = threading.Event(), threading.Event()

    # --- members
    def own(self, slot, partitions):
        with self.lock:
            for p in partitions:
                if p.partition in self.owners:
                    self.faults.append(f"partition {p.partition} goes to member {slot} and still belongs to {self.owners[p.partition]}")
                self.owners[p.partition] = slot

    def disown(self, slot, partitions):
        with self.lock:
            for p in partitions:
                if self.owners.get(p.partition) == slot:
                    del self.owners[p.partition]

    def live_once(self, slot, seconds):
        conf = {"bootstrap.servers": self.weir.bootstrap, "group.id": "chaos", "auto.offset.reset": "earliest",
                "partition.assignment.strategy": self.strategy, "session.timeout.ms": 10000, "heartbeat.interval.ms": 300,
                "auto.commit.interval.ms": 300, "reconnect.backoff.max.ms": 300}
        if slot < STATIC:
            conf["group.instance.id"] = f"static-{slot}"
        c = Consumer(conf)
        c.subscribe(["t"], on_assign=lambda _, ps: self.own(slot, ps), on_revoke=lambda _, ps: self.disown(slot, ps),
                    on_lost=lambda _, ps: self.disown(slot, ps))
        until = time.monotonic() + seconds
        while (time.monotonic() < until or self.producing.is_set()) and not self.consuming.is_set():  # calm at the end
            for m in c.consume(100, 0.1):
                if m.error() is None:
                    with self.lock:
                        self.seen.add(int(m.value()))
        c.close()

    def member(self, slot):
        try:
            while not self.consuming.is_set():
                with self.lock:
                    seconds, pause = self.chance.uniform(0.5, 4), self.chance.uniform(0, 1)
                    self.starts += 1
                self.live_once(slot, seconds)
                self.consuming.wait(pause)
        except Exception as e:
            self.faults.append(repr(e))

    # --- records
    def produce(self):
        p = Producer({"bootstrap.servers": self.weir.bootstrap, "enable.idempotence": True, "linger.ms": 5, "reconnect.backoff.max.ms": 300})
        while not self.producing.is_set():
            for _ in range(10):
                p.produce("t", str(self.produced), partition=self.produced % PARTITIONS)
                self.produced += 1
            p.poll(0.03)
        left = p.flush(60)
        if left:
            self.faults.append(f"{left} records could not be produced")

    def run(self, seconds, kills):
        admin = AdminClient({"bootstrap.servers": self.weir.bootstrap})
        admin.create_topics([NewTopic("t", PARTITIONS, 1)])["t"].result(10)
        threads = [threading.Thread(target=self.member, args=(i,)) for i in range(MEMBERS)]
        producer = threading.Thread(target=self.produce)
        for t in [producer, *threads]:
            t.start()
        try:
            for _ in range(kills):
                time.sleep(seconds / (kills + 1))
                self.weir.kill()
                self.weir.start()
            time.sleep(seconds / (kills + 1))
            self.producing.set()
            producer.join()
            wait_until(lambda: self.faults or len(self.seen) == self.produced, 60)
        finally:
            self.producing.set()
            self.consuming.set()
            for t in threads:
                t.join(60)
        assert not self.faults, self.faults[:5]
        assert self.seen == set(range(self.produced))
        assert self.starts > MEMBERS and self.produced > 100


def chaos(weir, strategy, seconds, kills):
    if Consumer is None:
        missing("confluent-kafka")
    Chaos(weir, strategy, int(os.environ.get("SEED", "1"))).run(seconds, kills)


@pytest.mark.parametrize("strategy, kills", [("range", 0), ("cooperative-sticky", 0), ("range,roundrobin", 2)], ids=["eager", "cooperative", "killed"])
def test_chaos(weir, strategy, kills):
    chaos(weir, strategy, float(os.environ.get("CHAOS_SECONDS", "10")), kills)


@pytest.mark.torture
@pytest.mark.timeout(36000)
@pytest.mark.parametrize("strategy, kills", [("range", 0), ("cooperative-sticky", 0), ("cooperative-sticky", 1)], ids=["eager", "cooperative", "killed"])
def test_chaos_long(weir, strategy, kills):
    """Half a second for each round of `make torture`."""
    seconds = max(15, int(os.environ.get("ROUNDS", "50")) / 2)
    chaos(weir, strategy, seconds, kills * int(seconds // 10))
