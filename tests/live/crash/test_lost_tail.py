"""A power cut takes the end of a log that was written but not synced, and leaves what the database knows: nobody goes on behind
the end of a log and misses what is written there next."""
import os

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka_io import producer, read_all
from weirproc import Weir


def consumer(w):
    return Consumer({"bootstrap.servers": w.bootstrap, "group.id": "g", "enable.auto.commit": False, "auto.offset.reset": "error"})


def test_committed_offsets_beyond_the_end():
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
        os.truncate(log, os.path.getsize(log) // 2)
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
