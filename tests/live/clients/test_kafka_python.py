"""kafka-python: it guesses the broker's release from version ranges, and speaks some calls by hand."""
import time

import pytest
from clienttools import missing, restart

try:
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import NewTopic
except ImportError:
    KafkaProducer = None


@pytest.fixture(autouse=True)
def installed():
    if KafkaProducer is None:
        missing("kafka-python")


def consumer(weir, *topics, **options):
    return KafkaConsumer(*topics, bootstrap_servers=weir.bootstrap, auto_offset_reset="earliest", **options)


def take(c, count, timeout=30):
    out, until = [], time.monotonic() + timeout
    while len(out) < count and time.monotonic() < until:
        for records in c.poll(200).values():
            out += records
    assert len(out) == count, f"{len(out)} of {count} records"
    return out


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_codec_round_trip(weir, codec):
    try:
        p = KafkaProducer(bootstrap_servers=weir.bootstrap, compression_type=codec)
    except AssertionError as e:
        pytest.skip(f"kafka-python lacks a library: {e}")
    for i in range(500):
        p.send("t", key=b"k%d" % i, value=b"value " * 20, headers=[("h", b"1")])
    p.flush(30)
    p.close()
    c = consumer(weir, "t", group_id="g")
    records = take(c, 500)
    assert [r.key for r in records] == [b"k%d" % i for i in range(500)]
    assert list(records[0].headers) == [("h", b"1")]
    c.close()


def test_group_commit_restart(weir):
    a = KafkaAdminClient(bootstrap_servers=weir.bootstrap)
    a.create_topics([NewTopic("t", 2, 1)])
    assert "t" in a.list_topics()
    a.close()
    p = KafkaProducer(bootstrap_servers=weir.bootstrap)
    for i in range(100):
        p.send("t", str(i).encode()).get(10)
    c = consumer(weir, "t", group_id="g", enable_auto_commit=False)
    take(c, 100)
    c.commit()
    c.close()
    restart(weir)
    for i in range(100, 150):
        p.send("t", str(i).encode())
    p.flush(30)
    c = consumer(weir, "t", group_id="g", enable_auto_commit=False)
    assert sorted(int(r.value) for r in take(c, 50)) == list(range(100, 150))
    c.close()
    p.close()


def test_offsets_by_time(weir):
    p = KafkaProducer(bootstrap_servers=weir.bootstrap)
    for i in range(5):
        p.send("t", b"x", timestamp_ms=1000 + i).get(10)
    c = consumer(weir)
    part = TopicPartition("t", 0)
    assert c.offsets_for_times({part: 1003})[part].offset == 3
    assert c.beginning_offsets([part]) == {part: 0}
    assert c.end_offsets([part]) == {part: 5}
    c.close()
    p.close()


@pytest.mark.parametrize("release", [(0, 9), (0, 10), (0, 11), (1, 0), (2, 5)])
def test_old_protocol_versions(weir, release):
    """A client pinned to an old release sends the calls of that time: message sets before 0.11."""
    try:
        p = KafkaProducer(bootstrap_servers=weir.bootstrap, api_version=release)
    except Exception as e:  # newer kafka-python may have dropped the oldest ones
        pytest.skip(f"kafka-python does not speak {release}: {e}")
    for i in range(20):
        p.send("t", key=b"k", value=str(i).encode()).get(10)
    p.close()
    c = consumer(weir, "t", group_id="g", api_version=release)
    assert [int(r.value) for r in take(c, 20)] == list(range(20))
    c.commit()
    c.close()


@pytest.mark.parametrize("release, codec", [((0, 9), "gzip"), ((0, 9), "snappy"),  # with lz4 this client sends nothing
                                            ((0, 10), "gzip"), ((0, 10), "snappy"), ((0, 10), "lz4")])
def test_message_sets_and_new_clients_meet(weir, release, codec):
    """Old and new clients read what the other wrote, compressed, with a transaction's markers between."""
    from confluent_kafka import Producer
    try:
        old = KafkaProducer(bootstrap_servers=weir.bootstrap, api_version=release, compression_type=codec, linger_ms=50)
    except Exception as e:
        pytest.skip(f"kafka-python does not speak {release} with {codec}: {e}")
    new = Producer({"bootstrap.servers": weir.bootstrap, "transactional.id": "x", "compression.type": codec})
    new.init_transactions()
    sent = []
    for turn in range(3):
        for i in range(10):
            old.send("t", key=b"k", value=b"old %d %d " % (turn, i) * 10)
        old.flush(30)
        sent += [b"old %d %d " % (turn, i) * 10 for i in range(10)]
        new.begin_transaction()
        for i in range(10):
            new.produce("t", b"new %d %d " % (turn, i) * 10, headers={"h": b"1"})
        new.commit_transaction(30)
        sent += [b"new %d %d " % (turn, i) * 10 for i in range(10)]
    old.close()
    for options in ({"api_version": release}, {}):
        c = consumer(weir, "t", group_id="g" + str(options), **options)
        assert [r.value for r in take(c, 60)] == sent
        c.close()
