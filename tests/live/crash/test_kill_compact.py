"""kill -9 while a compacted topic is written to and compacted: the last acknowledged value of every key is there, at the
offset that was acknowledged. ROUNDS says how often."""
import os
import random
import time

import pytest

from kafka_io import producer, read_all
from weirproc import Weir

ROUNDS = int(os.environ.get("ROUNDS", "15"))
KEYS = 200


class Load:
    """A number per key that grows; of each key the last one that was acknowledged and what was sent after it."""

    def __init__(self):
        self.sent, self.acked = {}, {}

    def run(self, bootstrap, seconds, kill):
        p = producer(bootstrap, linger_ms=1, message_timeout_ms=3000, retries=0,
                     compression_type=random.choice(("none", "lz4", "zstd")))

        def delivered(error, message):
            if error is None:
                n = int(message.value().split()[0])
                if n > self.acked.get(message.key(), (-1, -1))[0]:
                    self.acked[message.key()] = (n, message.offset())
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(100):
                key = b"%d" % random.randrange(KEYS)
                n = self.sent.get(key, 0) + 1
                try:
                    p.produce("t", b"%d %s" % (n, os.urandom(20)), key=key, on_delivery=delivered)
                except BufferError:
                    p.poll(0.05)
                    continue
                self.sent[key] = n
            p.poll(0)
        kill()
        p.purge()
        p.poll(0.2)
        p.flush(0.5)


def check(w, load, n):
    last, offsets = {}, []
    for m in read_all(w.bootstrap, "t", timeout=120):
        last[m.key()] = (int(m.value().split()[0]), m.offset())
        offsets.append(m.offset())
    assert offsets == sorted(set(offsets))
    for key, (number, offset) in load.acked.items():
        assert key in last, f"round {n}: key {key} is lost"
        assert last[key][0] >= number, f"round {n}: key {key} has {last[key]}, acknowledged was {number} at {offset}"
        if last[key][0] == number:
            assert last[key][1] == offset, f"round {n}: key {key} moved from {offset} to {last[key][1]}"
    return len(offsets)


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_last_values_survive():
    from confluent_kafka.admin import AdminClient, NewTopic
    load, compactions = Load(), 0
    with Weir("--set", "log.cleaner.backoff.ms=1", "--set", "log.segment.delete.delay.ms=50") as w:
        admin = AdminClient({"bootstrap.servers": w.bootstrap})
        admin.create_topics([NewTopic("t", 1, config={"cleanup.policy": "compact", "segment.bytes": "30000",
                                                      "min.cleanable.dirty.ratio": "0.01"})])["t"].result(20)
        for n in range(ROUNDS):
            load.run(w.bootstrap, random.uniform(0.9, 1.8), w.kill)
            w.start()
            check(w, load, n)
        compactions = w.log().count("compacted t-0")
        assert compactions > ROUNDS / 2, w.log()[-3000:]
        left = [name for name in os.listdir(os.path.join(w.dir, "data", "kafka-logs", "t-0")) if name.endswith((".swap", ".aside"))]
        assert not left, left
        cut_short = w.log().count("completed a compaction")
        print(f"{ROUNDS} rounds, {compactions} compactions, {cut_short} swaps completed at a start")
        assert sum(n for n, _ in load.acked.values()) > ROUNDS * KEYS / 2
