"""confluent-kafka (a current librdkafka): admin calls, producers, consumers in a group, restarts."""
import time

import pytest
from clienttools import CODECS, missing, restart

try:
    from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType
except ImportError:
    AdminClient = None


@pytest.fixture(autouse=True)
def installed():
    if AdminClient is None:
        missing("confluent-kafka")


def admin(weir):
    return AdminClient({"bootstrap.servers": weir.bootstrap})


def done(futures):
    return {key: future.result(timeout=20) for key, future in futures.items()}


def create(weir, name, partitions):
    a = admin(weir)  # kept until the answer is there
    done(a.create_topics([NewTopic(name, partitions)]))


def producer(weir, **options):
    return Producer({"bootstrap.servers": weir.bootstrap, **options})


def consumer(weir, group, **options):
    return Consumer({"bootstrap.servers": weir.bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, **options})


def take(c, count, timeout=30):
    out, until = [], time.monotonic() + timeout
    while len(out) < count and time.monotonic() < until:
        message = c.poll(0.2)
        if message is None:
            continue
        assert message.error() is None, message.error()
        out.append(message)
    assert len(out) == count, f"{len(out)} of {count} messages"
    return out


def test_create_describe_delete(weir):
    a = admin(weir)
    done(a.create_topics([NewTopic("orders", 3, 3, config={"retention.ms": "1000"})]))  # replication factor 3 on one node
    topics = a.list_topics(timeout=10).topics
    assert sorted(topics["orders"].partitions) == [0, 1, 2]
    with pytest.raises(KafkaException) as e:
        done(a.create_topics([NewTopic("orders", 1)]))
    assert e.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    resource = ConfigResource(ResourceType.TOPIC, "orders")
    entries = done(a.describe_configs([resource]))[resource]
    assert entries["retention.ms"].value == "1000"
    assert entries["cleanup.policy"].value == "delete"
    done(a.create_partitions([NewPartitions("orders", 5)]))
    assert len(a.list_topics("orders", timeout=10).topics["orders"].partitions) == 5
    done(a.delete_topics(["orders"]))
    assert "orders" not in a.list_topics(timeout=10).topics


def test_bad_names_and_numbers(weir):
    a = admin(weir)
    for topic, code in [(NewTopic("a b", 1), KafkaError.TOPIC_EXCEPTION), (NewTopic("x", 0), KafkaError.INVALID_PARTITIONS),
                        (NewTopic("x", 1, config={"no.such": "1"}), KafkaError.INVALID_CONFIG)]:
        with pytest.raises(KafkaException) as e:
            done(a.create_topics([topic]))
        assert e.value.args[0].code() == code


def test_alter_configs(weir):
    a = admin(weir)
    done(a.create_topics([NewTopic("t", 1)]))
    change = ConfigResource(ResourceType.TOPIC, "t", incremental_configs=[
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
        ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET)])
    done(a.incremental_alter_configs([change]))
    resource = ConfigResource(ResourceType.TOPIC, "t")
    entries = done(a.describe_configs([resource]))[resource]
    assert entries["cleanup.policy"].value == "delete,compact"
    assert entries["max.message.bytes"].value == "2000000"
    restart(weir)
    b = admin(weir)
    entries = done(b.describe_configs([resource]))[resource]
    assert entries["cleanup.policy"].value == "delete,compact"


@pytest.mark.parametrize("codec", CODECS)
def test_codec_round_trip_in_a_group(weir, codec):
    create(weir, "t", 3)
    p = producer(weir, **{"compression.type": codec, "linger.ms": 20})
    for i in range(3000):
        p.produce("t", f"value {i} " * 10, key=str(i), headers=[("n", str(i).encode()), ("null", None)])
    assert p.flush(30) == 0
    c = consumer(weir, "g")
    c.subscribe(["t"])
    messages = take(c, 3000)
    assert {m.key().decode() for m in messages} == {str(i) for i in range(3000)}
    assert messages[0].headers() == [("n", messages[0].key()), ("null", None)]
    c.commit(asynchronous=False)
    c.close()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restart_loses_nothing(weir, how):
    """Producer and consumer live through it. Membership is not stored: the consumer joins again, and sees again
    what it had not committed."""
    create(weir, "t", 2)
    p = producer(weir, **{"enable.idempotence": True})
    c = consumer(weir, "g")
    c.subscribe(["t"])
    for i in range(500):
        p.produce("t", str(i))
    assert p.flush(30) == 0
    assert len(take(c, 500)) == 500
    c.commit(asynchronous=False)
    weir.kill() if how == "kill" else weir.stop()
    weir.start()
    for i in range(500, 1000):
        p.produce("t", str(i))
    assert p.flush(60) == 0
    seen, until = set(), time.monotonic() + 60
    while time.monotonic() < until:
        message = c.poll(0.2)
        if message is not None and message.error() is None:
            seen.add(int(message.value()))
        elif len(seen) == 500:
            try:
                c.commit(asynchronous=False)
                break
            except KafkaException as e:
                assert e.args[0].code() in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError._NO_OFFSET, KafkaError.REBALANCE_IN_PROGRESS,
                                            KafkaError.ILLEGAL_GENERATION), e
    assert seen == set(range(500, 1000))  # nothing lost, nothing below the committed offsets again
    c.close()
    again = consumer(weir, "g")
    parts = again.committed([TopicPartition("t", 0), TopicPartition("t", 1)], timeout=10)
    assert sum(q.offset for q in parts) == 1000
    low_high = [again.get_watermark_offsets(TopicPartition("t", q), timeout=10) for q in (0, 1)]
    assert sum(high for _, high in low_high) == 1000  # the idempotent producer wrote nothing twice
    again.close()


def test_two_members_share_and_one_leaves(weir):
    create(weir, "t", 4)
    first, second = consumer(weir, "g"), consumer(weir, "g")
    first.subscribe(["t"])
    second.subscribe(["t"])
    until = time.monotonic() + 30
    while time.monotonic() < until and not (len(first.assignment()) == 2 and len(second.assignment()) == 2):
        first.poll(0.1), second.poll(0.1)
    assert (len(first.assignment()), len(second.assignment())) == (2, 2)
    second.close()
    until = time.monotonic() + 30
    while time.monotonic() < until and len(first.assignment()) != 4:
        first.poll(0.1)
    assert len(first.assignment()) == 4
    first.close()


def test_cooperative_sticky(weir):
    create(weir, "t", 4)
    options = {"partition.assignment.strategy": "cooperative-sticky"}
    first, second = consumer(weir, "g", **options), consumer(weir, "g", **options)
    first.subscribe(["t"])
    until = time.monotonic() + 30
    while time.monotonic() < until and len(first.assignment()) != 4:
        first.poll(0.1)
    second.subscribe(["t"])
    while time.monotonic() < until and not (len(first.assignment()) == 2 and len(second.assignment()) == 2):
        first.poll(0.1), second.poll(0.1)
    assert (len(first.assignment()), len(second.assignment())) == (2, 2)
    first.close(), second.close()


def test_groups_are_listed_described_deleted(weir):
    a = admin(weir)
    done(a.create_topics([NewTopic("t", 1)]))
    p = producer(weir)
    p.produce("t", "x")
    p.flush(10)
    c = consumer(weir, "g", **{"client.id": "me"})
    c.subscribe(["t"])
    take(c, 1)
    c.commit(asynchronous=False)
    assert [(g.group_id, g.state.name) for g in a.list_consumer_groups().result(10).valid] == [("g", "STABLE")]
    found = done(a.describe_consumer_groups(["g"]))["g"]
    assert found.members[0].client_id == "me"
    assert found.members[0].host == "/127.0.0.1"
    assert [(q.topic, q.partition) for q in found.members[0].assignment.topic_partitions] == [("t", 0)]
    with pytest.raises(KafkaException) as e:
        done(a.delete_consumer_groups(["g"]))
    assert e.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    c.close()
    done(a.delete_consumer_groups(["g"]))
    assert a.list_consumer_groups().result(10).valid == []


def test_large_messages(weir):
    """Batches of a megabyte, pipelined, and one record near the limit."""
    p = producer(weir, **{"message.max.bytes": 1000000, "linger.ms": 5, "batch.size": 1000000})
    value = bytes(range(256)) * 400
    for i in range(300):
        p.produce("t", value, key=str(i))
    p.produce("t", b"x" * 990000, key="large")
    assert p.flush(60) == 0
    c = consumer(weir, "g")
    c.assign([TopicPartition("t", 0, 0)])
    messages = take(c, 301, 60)
    assert all(m.value() == value for m in messages[:300])
    assert len(messages[300].value()) == 990000
    c.close()


def test_too_large_is_refused(weir):
    p = producer(weir, **{"message.max.bytes": 3000000})
    errors = []
    p.produce("t", b"x" * 2000000, on_delivery=lambda e, m: errors.append(e))
    p.flush(20)
    assert [e.code() for e in errors] == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_offsets_for_times(weir):
    p = producer(weir)
    for i in range(10):
        p.produce("t", str(i), timestamp=1000000 + i * 1000)
    p.flush(10)
    c = consumer(weir, "g")
    assert c.offsets_for_times([TopicPartition("t", 0, 1004500)], timeout=10)[0].offset == 5
    assert c.offsets_for_times([TopicPartition("t", 0, 2000000)], timeout=10)[0].offset == -1
    assert c.get_watermark_offsets(TopicPartition("t", 0), timeout=10) == (0, 10)
    c.close()


def test_delete_records(weir):
    a = admin(weir)
    p = producer(weir)
    for i in range(10):
        p.produce("t", str(i))
    p.flush(10)
    if not hasattr(a, "delete_records"):
        pytest.skip("this confluent-kafka has no delete_records")
    done(a.delete_records([TopicPartition("t", 0, 4)]))
    c = consumer(weir, "g")
    assert c.get_watermark_offsets(TopicPartition("t", 0), timeout=10) == (4, 10)
    c.close()
