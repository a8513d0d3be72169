"""Short ways to produce and to read everything, with confluent-kafka (librdkafka)."""
import json
import time

from confluent_kafka import Consumer, Producer, TopicPartition


def producer(bootstrap, **options):
    return Producer({"bootstrap.servers": bootstrap, "socket.timeout.ms": 10000, **{k.replace("_", "."): v for k, v in options.items()}})


def read_all(bootstrap, topic, count=None, timeout=20):
    """All records of the topic, as messages in order of partition and offset: up to the high watermarks as they
    are now, or, with count, until so many are there."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "enable.partition.eof": False})
    try:
        until = time.monotonic() + timeout
        out, partitions = [], []
        while time.monotonic() < until:
            found = consumer.list_topics(topic, timeout=10).topics[topic]
            partitions = sorted(found.partitions) if found.error is None else []
            ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in partitions}
            if partitions and (count is None or sum(high - low for low, high in ends.values()) >= count):
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"{topic}: {count} records expected, there are {ends if partitions else 'none'}")
        left = {p: high for p, (low, high) in ends.items() if high > low}
        consumer.assign([TopicPartition(topic, p, ends[p][0]) for p in left])
        while left and time.monotonic() < until:
            message = consumer.poll(0.5)
            if message is None:
                continue
            assert message.error() is None, message.error()
            out.append(message)
            p = message.partition()
            if message.offset() + 1 >= left.get(p, 0):
                left.pop(p, None)
        assert not left, f"{topic}: partitions {left} were not read to their ends within {timeout} s"
        return sorted(out, key=lambda m: (m.partition(), m.offset()))
    finally:
        consumer.close()


def events(bootstrap, topic, count=None, timeout=20):
    """Change events without schema: (key, value) pairs of parsed JSON, tombstones as None."""
    return [(m.key() and json.loads(m.key()), m.value() and json.loads(m.value())) for m in read_all(bootstrap, topic, count, timeout)]
