"""Compacted topics through real clients, and their files through Kafka's own reader."""
import threading
import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka_io import producer, read_all
from logfiles import dump, files
from weirproc import Weir, wait_until

EAGER = ("--set", "log.cleaner.backoff.ms=100", "--set", "log.segment.delete.delay.ms=200")
KEYS, ROUNDS = 1000, 100


def create(weir, name, partitions=1, **config):
    config = {"cleanup.policy": "compact", **{k.replace("_", "."): str(v) for k, v in config.items()}}
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.create_topics([NewTopic(name, partitions, config=config)])[name].result(20)


def stored(weir, topic):
    """Records of the log as (offset, key, value)."""
    return [(m.offset(), m.key(), m.value()) for m in read_all(weir.bootstrap, topic, timeout=60)]


def visible(weir, topic, isolation):
    """(key, value) of what a consumer sees, up to the end; the last offset may be a marker's."""
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "c", "isolation.level": isolation, "enable.partition.eof": True})
    c.assign([TopicPartition(topic, 0, 0)])
    out = []
    while True:
        m = c.poll(20)
        assert m is not None, "neither a record nor the end"
        if m.error():
            assert m.error().name() == "_PARTITION_EOF", m.error()
            break
        out.append((m.key(), m.value()))
    c.close()
    return out


class Reader(threading.Thread):
    """Reads from the beginning again and again, and notes what a consumer must never see."""

    def __init__(self, weir, topic):
        super().__init__()
        self.weir, self.topic, self.stop, self.wrong, self.rounds = weir, topic, False, [], 0

    def run(self):
        c = Consumer({"bootstrap.servers": self.weir.bootstrap, "group.id": "reader-in-the-middle", "enable.auto.commit": False,
                      "enable.partition.eof": True, "fetch.message.max.bytes": 20000, "check.crcs": True})
        while not self.stop and not self.wrong:
            c.assign([TopicPartition(self.topic, 0, 0)])
            last, until = -1, time.monotonic() + 30
            while not self.stop and time.monotonic() < until:
                m = c.poll(0.2)
                if m is None:
                    continue
                if m.error():
                    if m.error().name() != "_PARTITION_EOF":
                        self.wrong.append(str(m.error()))
                    break
                if m.offset() <= last:
                    self.wrong.append(f"offset {m.offset()} after {last}")
                last = m.offset()
            self.rounds += 1
        c.close()


def test_last_values_stay():
    with Weir(*EAGER) as w:
        create(w, "t", segment_bytes=300000, min_cleanable_dirty_ratio=0.01, delete_retention_ms=1000)
        reader = Reader(w, "t")
        reader.start()
        p = producer(w.bootstrap, linger_ms=5, compression_type="lz4")
        last = {}

        def delivered(key):
            def fn(error, message):
                assert error is None, error
                last[key] = (message.offset(), message.value())
            return fn
        for n in range(ROUNDS):
            for k in range(KEYS):
                key = b"key-%d" % k
                p.produce("t", b"round %d of %d %s" % (n, k, b"x" * 50), key=key, on_delivery=delivered(key))
            p.flush(30)
        for k in range(100):  # and then something that fills segments, so that these are compacted as well
            p.produce("t", None, key=b"key-%d" % k, on_delivery=delivered(b"key-%d" % k))
        p.flush(30)
        p = producer(w.bootstrap, linger_ms=5)
        for n in range(20):
            for k in range(KEYS):
                p.produce("t", b"filler %d %s" % (n, b"y" * 60), key=b"filler-%d" % k)
            p.flush(30)

        def small():
            rows = stored(w, "t")
            return rows if sum(1 for r in rows if r[1].startswith(b"key-")) <= KEYS else None
        rows = wait_until(small, 60, 0.5)
        there = {key: (offset, value) for offset, key, value in rows if key.startswith(b"key-")}
        for key, (offset, value) in last.items():
            if value is not None:
                assert there[key] == (offset, value), key
        wait_until(lambda: not any(v is None for _, _, v in stored(w, "t")), 60, 0.5)  # tombstones go
        there = {key for _, key, _ in stored(w, "t")}
        assert not any(b"key-%d" % k in there for k in range(100))
        reader.stop = True
        reader.join()
        assert not reader.wrong, reader.wrong
        assert reader.rounds > 1
        p.produce("t", b"x", key=b"another")
        p.flush(20)
        assert w.stop() == 0
        names = [n for n in files(w, "t") if n.endswith((".log", ".index", ".timeindex", ".snapshot"))]
        assert {n.rsplit(".", 1)[1] for n in names} == {"log", "index", "timeindex", "snapshot"}
        dump(names)
        w.start()
        w.kill()
        w.start()
        assert len([r for r in stored(w, "t") if r[1].startswith(b"key-")]) == KEYS - 100


def test_both_policies():
    with Weir(*EAGER, "--set", "log.retention.check.interval.ms=200") as w:
        create(w, "t", cleanup_policy="compact,delete", segment_ms=500, retention_ms=4000, min_cleanable_dirty_ratio=0.01)
        p = producer(w.bootstrap)
        for n in range(3):
            for k in range(50):
                p.produce("t", b"%d" % n, key=b"%d" % k)
            p.flush(20)
            time.sleep(0.7)
        p.produce("t", b"last", key=b"last")
        p.flush(20)
        wait_until(lambda: len(stored(w, "t")) == 51, 30, 0.2)
        wait_until(lambda: len(stored(w, "t")) == 0, 30, 0.2)


def test_internal_topics_of_connect():
    """What a Connect worker does with its three topics: many updates of few keys, read to the end at a start."""
    with Weir(*EAGER) as w:
        admin = AdminClient({"bootstrap.servers": w.bootstrap})
        for name, partitions in (("connect-configs", 1), ("connect-offsets", 25), ("connect-status", 5)):
            create(w, name, partitions, segment_bytes=20000, min_cleanable_dirty_ratio=0.1)
        p = producer(w.bootstrap, enable_idempotence=True)
        for n in range(400):
            for name in ("connect-configs", "connect-offsets", "connect-status"):
                for k in range(5):
                    p.produce(name, b'{"n":%d,"pad":"%s"}' % (n, b"p" * 100), key=b'["source",{"server":"%d"}]' % k)
            p.flush(30)

        def compacted():
            return all(len(stored(w, name)) < 1000 for name in ("connect-configs", "connect-offsets", "connect-status"))
        wait_until(compacted, 60, 0.5)
        for name in ("connect-configs", "connect-offsets", "connect-status"):
            assert {key: value[:8] for _, key, value in stored(w, name)} == {
                b'["source",{"server":"%d"}]' % k: b'{"n":399' for k in range(5)}
        assert len(admin.list_topics(timeout=10).topics) >= 3
        p.produce("connect-configs", b"x", key=b"more")  # the producer's sequence goes on
        assert p.flush(20) == 0


def test_kafkas_reader_of_transactions(tmp_path):
    """Files with aborted and committed transactions, before and after a compaction."""
    with Weir(*EAGER) as w:
        create(w, "t", segment_bytes=20000, min_cleanable_dirty_ratio=0.01)
        p = producer(w.bootstrap, transactional_id="x")
        p.init_transactions(20)
        for n in range(40):
            p.begin_transaction()
            for k in range(20):
                p.produce("t", b"%d %s" % (n, b"z" * 50), key=b"k%d" % k)
            p.flush(20)
            if n % 3 == 2:
                p.abort_transaction(20)
            else:
                p.commit_transaction(20)
        wait_until(lambda: len(visible(w, "t", "read_uncommitted")) < 300, 30, 0.3)
        rows = {key: value.split()[0] for key, value in visible(w, "t", "read_committed")}
        assert rows == {b"k%d" % k: b"39" for k in range(20)}
        w.stop()
        names = [n for n in files(w, "t") if n.endswith((".log", ".index", ".timeindex", ".snapshot", ".txnindex"))]
        out = dump(names)
        assert "endTxnMarker: COMMIT" in out
