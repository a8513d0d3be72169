"""Logs lose what has had its time; consumers see `earliest` move."""
import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from kafka_io import producer, read_all
from logfiles import files
from weirproc import Weir, wait_until

OFTEN = ("--set", "log.retention.check.interval.ms=200", "--set", "log.segment.delete.delay.ms=300")


def create(weir, name, **config):
    config = {k.replace("_", "."): str(v) for k, v in config.items()}
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.create_topics([NewTopic(name, 1, config=config)])[name].result(20)


def produce(weir, topic, count, size=100, key=None):
    p = producer(weir.bootstrap)
    for i in range(count):
        p.produce(topic, (b"%d " % i).ljust(size, b"x"), key=key)
        if i % 20 == 19:
            p.flush(20)
    assert p.flush(20) == 0


def watermarks(weir, topic):
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "w"})
    try:
        return c.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    finally:
        c.close()


def test_time():
    with Weir(*OFTEN) as w:
        create(w, "t", segment_ms=1000, retention_ms=5000)
        produce(w, "t", 50)
        time.sleep(1.2)
        produce(w, "t", 50)  # a new segment
        assert watermarks(w, "t") == (0, 100)
        wait_until(lambda: watermarks(w, "t")[0] >= 50, 30)
        wait_until(lambda: watermarks(w, "t") == (100, 100), 30)  # the active segment expires, too
        produce(w, "t", 10)
        assert [m.offset() for m in read_all(w.bootstrap, "t")] == list(range(100, 110))
        wait_until(lambda: not files(w, "t", suffix=".deleted"), 20)
        w.kill()
        w.start()
        assert watermarks(w, "t")[1] == 110 and watermarks(w, "t")[0] >= 100


def test_size():
    with Weir(*OFTEN) as w:
        create(w, "t", segment_bytes=20000, retention_bytes=50000, retention_ms=-1)
        produce(w, "t", 2000)
        wait_until(lambda: watermarks(w, "t")[0] > 1000, 30)
        time.sleep(1)
        low, high = watermarks(w, "t")
        assert high == 2000 and [m.offset() for m in read_all(w.bootstrap, "t")] == list(range(low, high))
        assert (high - low) * 100 >= 40000  # as much as is to be kept


def test_settings_take_effect_at_once():
    with Weir(*OFTEN) as w:
        create(w, "t", segment_bytes=20000)
        produce(w, "t", 1000)
        time.sleep(1)
        assert watermarks(w, "t") == (0, 1000)
        admin = AdminClient({"bootstrap.servers": w.bootstrap})
        r = ConfigResource("topic", "t", set_config={"retention.ms": "100"})
        admin.alter_configs([r])[r].result(20)
        wait_until(lambda: watermarks(w, "t")[0] == 1000, 30)
        r = ConfigResource("broker", "1", set_config={"log.retention.ms": "100"})
        create(w, "other", segment_bytes=20000)
        produce(w, "other", 1000)
        time.sleep(0.5)
        assert watermarks(w, "other")[0] == 0
        admin.alter_configs([r])[r].result(20)
        wait_until(lambda: watermarks(w, "other")[0] == 1000, 30)
