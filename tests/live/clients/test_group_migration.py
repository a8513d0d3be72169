"""Groups that change their protocol while members are there (KIP-848): classic consumers and those of the new protocol in one
group, upgrade and downgrade."""
import threading

import pytest
from clienttools import missing, restart
from test_confluent import admin, create
from test_consumer_groups import FAST, Member, owned_once, produce
from weirproc import Weir, wait_until

try:
    from kafka import KafkaConsumer, TopicPartition
except ImportError:
    KafkaConsumer = None

CLASSIC = {"group.protocol": "classic", "session.timeout.ms": 6000, "heartbeat.interval.ms": 200}


class PythonMember:
    """kafka-python's consumer with the interface of Member."""

    def __init__(self, weir, group, topics):
        if KafkaConsumer is None:
            missing("kafka-python")
        self.c = KafkaConsumer(*topics, bootstrap_servers=weir.bootstrap, group_id=group, auto_offset_reset="earliest",
                               enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=200,
                               metadata_max_age_ms=1000)
        self.values, self.errors, self.stop, self.owned = [], [], False, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop:
            for records in self.c.poll(100).values():
                self.values += [r.value.decode() for r in records]
            self.owned = sorted((p.topic, p.partition) for p in self.c.assignment())

    def owns(self):
        return self.owned

    def close(self):
        self.stop = True
        self.thread.join()
        self.c.close()


def kind(weir, group):
    a = admin(weir)
    return next(g for g in a.list_consumer_groups().result(20).valid if g.group_id == group).type.name


class Flow:
    """Sends values in rounds and waits until all of a round were read by somebody."""

    def __init__(self, weir):
        self.weir, self.round = weir, 0

    def __call__(self, members):
        self.round += 1
        sent = {f"r{self.round}-{i}" for i in range(40)}
        produce(self.weir, "t", sorted(sent))
        wait_until(lambda: sent <= {v for m in members for v in m.values}, 60)


@pytest.fixture
def fast():
    with Weir(*FAST, "--set", "group.initial.rebalance.delay.ms=100") as w:
        create(w, "t", 4)
        yield w


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_there_and_back(fast, strategy):
    flow = Flow(fast)
    old = {**CLASSIC, "partition.assignment.strategy": strategy}
    a, b = Member(fast, "g", ["t"], **old), Member(fast, "g", ["t"], **old)
    wait_until(lambda: owned_once([a, b], 4), 60)
    flow([a, b])
    assert kind(fast, "g") == "CLASSIC"
    c = Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([a, b, c], 4), 60)
    assert kind(fast, "g") == "CONSUMER"
    flow([a, b, c])
    d = Member(fast, "g", ["t"], **old)  # a classic member joins the consumer group
    wait_until(lambda: owned_once([a, b, c, d], 4), 60)
    flow([a, b, c, d])
    b.close()
    wait_until(lambda: owned_once([a, c, d], 4), 60)
    flow([a, c, d])
    c.close()  # the last one of the new protocol
    wait_until(lambda: kind(fast, "g") == "CLASSIC" and owned_once([a, d], 4), 60)
    flow([a, d])
    e = Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([a, d, e], 4), 60)
    a.close()
    d.close()
    wait_until(lambda: owned_once([e], 4), 60)
    flow([e])
    assert kind(fast, "g") == "CONSUMER"
    e.close()
    assert not a.errors + b.errors + c.errors + d.errors + e.errors


def test_kafka_pythons_consumer(fast):
    flow = Flow(fast)
    a = PythonMember(fast, "g", ["t"])
    wait_until(lambda: owned_once([a], 4), 60)
    b = Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([a, b], 4), 60)
    flow([a, b])
    b.close()
    wait_until(lambda: owned_once([a], 4), 60)
    flow([a])
    b = Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([a, b], 4), 60)
    a.close()
    wait_until(lambda: owned_once([b], 4), 60)
    flow([b])
    b.close()


def test_a_restart_in_between(fast):
    flow = Flow(fast)
    a, b = Member(fast, "g", ["t"], **CLASSIC), Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([a, b], 4), 60)
    flow([a, b])
    restart(fast)
    wait_until(lambda: owned_once([a, b], 4), 90)
    flow([a, b])
    a.close()
    b.close()


def test_not_allowed():
    with Weir(*FAST, "--set", "group.consumer.migration.policy=disabled") as w:
        create(w, "t", 4)
        a = Member(w, "g", ["t"], **CLASSIC)
        wait_until(lambda: owned_once([a], 4), 60)
        b = Member(w, "g", ["t"])
        wait_until(lambda: b.errors, 60)
        assert kind(w, "g") == "CLASSIC" and a.owns() and not b.owns()
        a.close()
        b.close()


def test_a_static_member_comes_back_with_the_other_protocol(fast):
    """A rolling change of the configuration, as with static members: each is stopped, keeps its place, and comes back at once."""
    flow = Flow(fast)
    classic = {**CLASSIC, "session.timeout.ms": 45000}  # nobody's place is free because of its session
    one, two = {"group.instance.id": "one"}, {"group.instance.id": "two"}
    a, b = Member(fast, "g", ["t"], **classic, **one), Member(fast, "g", ["t"], **classic, **two)
    wait_until(lambda: owned_once([a, b], 4), 60)
    a.close()
    a = Member(fast, "g", ["t"], **one)
    wait_until(lambda: owned_once([a, b], 4), 20)
    assert kind(fast, "g") == "CONSUMER"
    flow([a, b])
    b.close()
    b = Member(fast, "g", ["t"], **two)
    wait_until(lambda: owned_once([a, b], 4), 20)
    flow([a, b])
    for protocol in ("CONSUMER", "CLASSIC"):  # and back, the last of which changes the group
        (a if protocol == "CONSUMER" else b).close()
        if protocol == "CONSUMER":
            a = Member(fast, "g", ["t"], **classic, **one)
        else:
            b = Member(fast, "g", ["t"], **classic, **two)
        wait_until(lambda: owned_once([a, b], 4), 20)
        assert kind(fast, "g") == protocol
    flow([a, b])
    a.close()
    b.close()
