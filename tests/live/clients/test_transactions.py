"""Transactions as clients use them: what readers of committed data see, offsets within transactions, fencing, timeouts."""
import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from weirproc import Weir, wait_until


def make_topic(weir, name, partitions=1):
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(10)


def transactional(weir, tid, **options):
    p = Producer({"bootstrap.servers": weir.bootstrap, "transactional.id": tid, **{k.replace("_", "."): v for k, v in options.items()}})
    p.init_transactions(20)
    return p


def read(weir, topic, isolation="read_committed", partitions=1):
    """Values up to the end that this isolation level sees, and that end."""
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": uuid.uuid4().hex, "isolation.level": isolation,
                  "enable.auto.commit": False, "auto.offset.reset": "earliest", "enable.partition.eof": True})
    try:
        c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        out, left = [], set(range(partitions))
        until = time.monotonic() + 20
        while left and time.monotonic() < until:
            m = c.poll(0.2)
            if m is None:
                continue
            if m.error():
                assert m.error().code() == KafkaError._PARTITION_EOF, m.error()
                left.discard(m.partition())
            else:
                out.append(m.value().decode())
        assert not left
        return out
    finally:
        c.close()


def test_commit_and_abort(weir):
    make_topic(weir, "t")
    p = transactional(weir, "one")
    for n, end in enumerate([p.commit_transaction, p.abort_transaction, p.commit_transaction, p.abort_transaction]):
        p.begin_transaction()
        for i in range(3):
            p.produce("t", f"{n}-{i}")
        p.flush(10)
        end(20)
    assert read(weir, "t") == ["0-0", "0-1", "0-2", "2-0", "2-1", "2-2"]
    assert len(read(weir, "t", "read_uncommitted")) == 12
    p.begin_transaction()
    p.produce("t", "open")
    p.flush(10)
    assert "open" not in read(weir, "t")
    assert "open" in read(weir, "t", "read_uncommitted")
    p.commit_transaction(20)
    assert read(weir, "t")[-1] == "open"
