"""Transactions as clients use them: what readers of committed data see, offsets within transactions, fencing, timeouts."""
import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from weirproc import wait_until


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


def committed_offset(weir, group, topic, partition=0):
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": group, "enable.auto.commit": False})
    try:
        return c.committed([TopicPartition(topic, partition)], 20)[0].offset
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
    _, text = weir.rest("GET", "/metrics", base=weir.web)
    for line in ("weir_transactional_ids 1", "weir_transactions_open 0", 'weir_transactions_total{outcome="commit"} 3',
                 'weir_transactions_total{outcome="abort"} 2', "weir_transactions_timed_out_total 0"):
        assert line + "\n" in text


def test_offsets_are_part_of_the_transaction(weir):
    make_topic(weir, "in")
    make_topic(weir, "out")
    source = Producer({"bootstrap.servers": weir.bootstrap})
    for i in range(10):
        source.produce("in", str(i))
    source.flush(10)
    p = transactional(weir, "mover")
    for end in ("abort", "commit"):
        c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "movers", "auto.offset.reset": "earliest",
                      "enable.auto.commit": False, "isolation.level": "read_committed"})
        c.subscribe(["in"])
        p.begin_transaction()
        for _ in range(10):
            m = wait_until(lambda: c.poll(1))
            assert m.error() is None
            p.produce("out", f"{end} {m.value().decode()}")
        p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 20)
        (p.abort_transaction if end == "abort" else p.commit_transaction)(20)
        c.close()
    assert read(weir, "out") == [f"commit {i}" for i in range(10)]
    assert committed_offset(weir, "movers", "in") == 10


def test_who_is_shut_out(weir):
    make_topic(weir, "t")
    old = transactional(weir, "same")
    old.begin_transaction()
    old.produce("t", "old")
    old.flush(10)
    new = transactional(weir, "same")
    with pytest.raises(KafkaException) as e:
        old.commit_transaction(20)
    assert e.value.args[0].fatal() and e.value.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED)
    new.begin_transaction()
    new.produce("t", "new")
    new.commit_transaction(20)
    assert read(weir, "t") == ["new"]


def test_reader_is_woken_by_the_end(weir):
    """A reader of committed data waits at an open transaction. Nothing arrives when it ends, but there is something to read."""
    make_topic(weir, "t")
    p = transactional(weir, "slow")
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "g", "isolation.level": "read_committed",
                  "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 120000})
    c.assign([TopicPartition("t", 0, 0)])
    p.begin_transaction()
    p.produce("t", "one")
    p.flush(10)
    assert c.poll(2) is None
    p.commit_transaction(20)
    assert wait_until(lambda: c.poll(1)).value() == b"one"
    c.close()


def test_open_transaction_goes_on_after_a_kill(weir):
    make_topic(weir, "t")
    p = transactional(weir, "tough")
    p.begin_transaction()
    p.produce("t", "before")
    p.flush(10)
    weir.kill()
    weir.start()
    p.produce("t", "after")
    p.flush(30)
    p.commit_transaction(30)
    assert read(weir, "t") == ["before", "after"]

