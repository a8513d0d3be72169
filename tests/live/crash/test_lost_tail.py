"""A power cut takes the end of a log that was written but not synced, and leaves what the database knows: nobody goes on behind
the end of a log and misses what is written there next."""
import os
import struct

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka_io import producer, read_all
from weirproc import Weir


def consumer(w):
    return Consumer({"bootstrap.servers": w.bootstrap, "group.id": "g", "enable.auto.commit": False, "auto.offset.reset": "error"})


def batch_end(log, batches):
    """Bytes of the first so many batches."""
    with open(log, "rb") as f:
        data = f.read()
    at = 0
    for _ in range(batches):
        at += 12 + struct.unpack(">i", data[at + 8:at + 12])[0]
    return at


@pytest.mark.parametrize("whole_batches", [False, True])
def test_committed_offsets_beyond_the_end(whole_batches):
    with Weir() as w:
        admin = AdminClient({"bootstrap.servers": w.bootstrap})
        for f in admin.create_topics([NewTopic("t", 1)]).values():
            f.result(20)
        p = producer(w.bootstrap)
        for i in range(20):
            p.produce("t", b"%d" % i * 100)
            assert p.flush(20) == 0
        c = consumer(w)
        c.commit(offsets=[TopicPartition("t", 0, 20)], asynchronous=False)
        c.close()
        w.kill()
        log = os.path.join(w.dir, "data", "kafka-logs", "t-0", "00000000000000000000.log")
        os.truncate(log, batch_end(log, 12) if whole_batches else os.path.getsize(log) // 2)
        if whole_batches:  # else recovery sees the damage itself
            os.remove(os.path.join(w.dir, "data", "kafka-logs", "weir-boot"))
        w.start()
        end = read_all(w.bootstrap, "t")[-1].offset() + 1
        assert 0 < end < 20
        p = producer(w.bootstrap)
        p.produce("t", b"next")
        assert p.flush(20) == 0
        c = consumer(w)
        assert c.committed([TopicPartition("t", 0)], timeout=20)[0].offset == end
        c.assign([TopicPartition("t", 0, end)])
        assert c.poll(20).value() == b"next"
        c.close()
        assert f"is lowered from 20 to the recovered end of the log, {end}" in w.log()
