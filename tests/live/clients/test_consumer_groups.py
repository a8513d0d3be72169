"""Consumer groups of the new protocol (KIP-848): librdkafka's and Java's consumers, Kafka's group tool, restarts."""
import os
import queue
import signal
import subprocess
import threading

import pytest
from clienttools import missing, restart
from test_confluent import admin, create, done, producer, take
from test_java import STACK, java
from weirproc import Weir, wait_until

try:
    from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType
except ImportError:
    Consumer = None

GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
FAST = ["--set", "group.consumer.heartbeat.interval.ms=200", "--set", "group.consumer.min.heartbeat.interval.ms=100",
        "--set", "group.consumer.session.timeout.ms=3000", "--set", "group.consumer.min.session.timeout.ms=1000"]


@pytest.fixture(autouse=True)
def installed():
    if Consumer is None:
        missing("confluent-kafka")


@pytest.fixture
def fast():
    """Members report every 200 ms, so that rebalances are quick."""
    with Weir(*FAST) as w:
        yield w


class Member:
    """A consumer on a thread of its own, which alone touches it: what it owns, what it read."""

    def __init__(self, weir, group, topics, **options):
        self.c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": group, "group.protocol": "consumer",
                           "auto.offset.reset": "earliest", "enable.auto.commit": False,
                           "topic.metadata.refresh.interval.ms": 500, **options})
        self.values, self.errors, self.stop, self.owned, self.asked = [], [], False, [], queue.Queue()
        self.c.subscribe(topics)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop:
            message = self.c.poll(0.1)
            if message is not None and message.error():
                self.errors.append(message.error())
            elif message is not None:
                self.values.append(message.value().decode())
            self.owned = sorted((p.topic, p.partition) for p in self.c.assignment())
            while not self.asked.empty():
                what, answer = self.asked.get()
                answer.put(what(self.c))

    def owns(self):
        return self.owned

    def ask(self, what):
        answer = queue.Queue()
        self.asked.put((what, answer))
        return answer.get(timeout=30)

    def close(self):
        self.stop = True
        self.thread.join()
        self.c.close()


def produce(weir, topic, values):
    p = producer(weir)
    for i, v in enumerate(values):
        p.produce(topic, v, partition=i % 4)
    assert p.flush(20) == 0


def owned_once(members, count):
    """All `count` partitions are owned, each by one member, and everybody has some."""
    owns = [m.owns() for m in members]
    flat = sorted(sum(owns, []))
    return len(flat) == count and len(set(flat)) == count and all(owns)


def test_members_come_and_go(fast):
    create(fast, "t", 4)
    produce(fast, "t", [f"v{i}" for i in range(40)])
    a = Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([a], 4) and len(a.values) == 40)
    b = Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([a, b], 4))
    assert len(a.owns()) == len(b.owns()) == 2
    c = Member(fast, "g", ["t"], **{"group.remote.assignor": "range"})
    wait_until(lambda: owned_once([a, b, c], 4))
    b.close()
    wait_until(lambda: owned_once([a, c], 4))
    before = len(a.values) + len(c.values)
    produce(fast, "t", [f"w{i}" for i in range(40)])
    wait_until(lambda: len(a.values) + len(c.values) >= before + 40)
    a.close()
    c.close()
    assert not a.errors + b.errors + c.errors


def test_commits_and_a_restart(fast):
    create(fast, "t", 4)
    produce(fast, "t", [f"v{i}" for i in range(20)])
    m = Member(fast, "g", ["t"], **{"enable.auto.commit": True, "auto.commit.interval.ms": 100})
    wait_until(lambda: len(m.values) == 20)
    wait_until(lambda: sum(p.offset for p in m.ask(lambda c: c.committed([TopicPartition("t", i) for i in range(4)], timeout=10))) == 20)
    restart(fast)
    produce(fast, "t", [f"w{i}" for i in range(20)])
    wait_until(lambda: len(set(m.values)) == 40)
    assert len(m.values) == 40  # nothing came twice: it went on at the committed offsets
    m.close()


def test_offsets_of_a_group_with_members(fast):
    create(fast, "t", 4)
    m = Member(fast, "g", ["t"])
    wait_until(lambda: owned_once([m], 4))
    stranger = Consumer({"bootstrap.servers": fast.bootstrap, "group.id": "g"})
    with pytest.raises(KafkaException) as e:
        stranger.commit(offsets=[TopicPartition("t", 0, 7)], asynchronous=False)
    assert e.value.args[0].name() == "UNKNOWN_MEMBER_ID"
    stranger.close()
    m.ask(lambda c: c.commit(offsets=[TopicPartition("t", 0, 7)], asynchronous=False))
    assert m.ask(lambda c: c.committed([TopicPartition("t", 0)], timeout=10))[0].offset == 7
    m.close()


def test_new_partitions_and_topics_by_pattern(fast):
    create(fast, "a1", 2)
    m = Member(fast, "g", ["^a[0-9]+"])
    wait_until(lambda: m.owns() == [("a1", 0), ("a1", 1)])
    a = admin(fast)
    done(a.create_partitions([NewPartitions("a1", 3)]))
    wait_until(lambda: len(m.owns()) == 3)
    create(fast, "a22", 1)
    create(fast, "b1", 1)
    wait_until(lambda: m.owns() == [("a1", 0), ("a1", 1), ("a1", 2), ("a22", 0)])
    done(a.delete_topics(["a1"]))
    wait_until(lambda: m.owns() == [("a22", 0)])
    m.close()


def test_static_member_comes_back(fast):
    create(fast, "t", 4)
    a = Member(fast, "g", ["t"], **{"group.instance.id": "one"})
    b = Member(fast, "g", ["t"], **{"group.instance.id": "two"})
    wait_until(lambda: owned_once([a, b], 4))
    owned, others = a.owns(), b.owns()
    epoch = describe(fast, "g")["epoch"]
    a.close()  # a static member only says that it will be back
    again = Member(fast, "g", ["t"], **{"group.instance.id": "one"})
    wait_until(lambda: again.owns() == owned)
    assert b.owns() == others and describe(fast, "g")["epoch"] == epoch
    again.close()
    b.close()


def describe(weir, group):
    """Epoch, state and members, from Kafka's group tool."""
    out = java(weir, GROUPS, "--describe", "--group", group, "--state", "--verbose").stdout.splitlines()
    head, row = [line.split() for line in out if line.strip()][:2]
    at = {name: i for i, name in enumerate(" ".join(head).replace("COORDINATOR (ID)", "COORDINATOR ID").split())}
    return {"epoch": row[at["GROUP-EPOCH"]], "target": row[at["TARGET-ASSIGNMENT-EPOCH"]], "state": row[at["STATE"]],
            "members": row[at["#MEMBERS"]], "assignor": row[at["ASSIGNMENT-STRATEGY"]]}


def test_group_tool_and_web_page(fast):
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")
    create(fast, "t", 4)
    m = Member(fast, "new", ["t"])
    old = Member(fast, "old", ["t"], **{"group.protocol": "classic"})
    wait_until(lambda: owned_once([m], 4) and owned_once([old], 4))
    wait_until(lambda: describe(fast, "new")["state"] == "Stable")
    found = describe(fast, "new")
    assert found["epoch"] == found["target"] and found["members"] == "1" and found["assignor"] == "uniform"
    out = java(fast, GROUPS, "--list", "--state", "--type").stdout
    rows = sorted(line.split() for line in out.splitlines() if line.strip())
    assert rows[1:] == [["new", "Consumer", "Stable"], ["old", "Classic", "Stable"]], out
    assert java(fast, GROUPS, "--list", "--type", "consumer").stdout.split() == ["GROUP", "TYPE", "new", "Consumer"]
    for group in ["new", "old"]:
        out = java(fast, GROUPS, "--describe", "--group", group, "--members", "--verbose").stdout
        assert "t:0,1,2,3" in out, out
    again = java(fast, GROUPS, "--delete", "--group", "new", check=False).stdout
    assert "GroupNotEmptyException" in again
    status, page = fast.rest("GET", "/api/clusters/local/consumer-groups/new", base=fast.web)
    assert status == 200 and page["state"] == "STABLE" and page["members"] == 1 and page["partitionAssignor"] == "uniform"
    assert sorted(p["partition"] for p in page["partitions"]) == [0, 1, 2, 3]
    m.close()
    old.close()
    wait_until(lambda: describe(fast, "new")["state"] == "Empty")
    out = java(fast, GROUPS, "--delete", "--group", "new", "--group", "old").stdout
    assert "Deletion of requested consumer groups ('new', 'old') was successful." in out or \
        "Deletion of requested consumer groups ('old', 'new') was successful." in out


def test_java_consumers_share_the_work(fast):
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")
    create(fast, "t", 4)
    command = ["bash", STACK, "tool", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", fast.bootstrap,
               "--topic", "t", "--group", "j", "--from-beginning", "--consumer-property", "group.protocol=consumer"]
    consumer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        produce(fast, "t", [f"v{i}" for i in range(20)])
        assert sorted(consumer.stdout.readline().strip() for _ in range(20)) == sorted(f"v{i}" for i in range(20))
        m = Member(fast, "j", ["t"])
        wait_until(lambda: len(m.owns()) == 2)
        produce(fast, "t", [f"w{i}" for i in range(20)])
        wait_until(lambda: len(m.values) >= 10)
        assert len(m.owns()) == 2
        os.killpg(consumer.pid, signal.SIGKILL)  # without a word: its session runs out
        wait_until(lambda: len(m.owns()) == 4)
        m.close()
    finally:
        try:
            os.killpg(consumer.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        consumer.wait()


def test_configurations_of_a_group(weir):
    a = admin(weir)
    resource = ConfigResource(ResourceType.GROUP, "g") if hasattr(ResourceType, "GROUP") else None
    if resource is None:
        pytest.skip("this confluent-kafka does not know configurations of groups")

    def change(name, value):
        done(a.incremental_alter_configs([ConfigResource(ResourceType.GROUP, "g", incremental_configs=[
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)])]))

    change("consumer.session.timeout.ms", "50000")
    with pytest.raises(KafkaException):
        change("consumer.session.timeout.ms", "1")
    with pytest.raises(KafkaException):
        change("no.such", "1")
    restart(weir)
    entries = done(a.describe_configs([resource]))[resource]
    assert entries["consumer.session.timeout.ms"].value == "50000"
    assert entries["consumer.heartbeat.interval.ms"].value == "5000"


def test_classic_group_becomes_one_of_the_new_protocol(fast):
    create(fast, "t", 4)
    produce(fast, "t", [f"v{i}" for i in range(20)])
    with_commits = {"enable.auto.commit": True, "auto.commit.interval.ms": 100}
    old = Member(fast, "g", ["t"], **{"group.protocol": "classic"}, **with_commits)
    wait_until(lambda: len(old.values) == 20)
    old.close()  # commits
    new = Member(fast, "g", ["t"], **with_commits)
    wait_until(lambda: owned_once([new], 4))
    produce(fast, "t", [f"w{i}" for i in range(20)])
    wait_until(lambda: len(new.values) == 20)
    assert all(v.startswith("w") for v in new.values)
    new.close()
    old = Member(fast, "g", ["t"], **{"group.protocol": "classic"}, **with_commits)
    wait_until(lambda: owned_once([old], 4))
    produce(fast, "t", [f"x{i}" for i in range(20)])
    wait_until(lambda: len(old.values) == 20)
    assert all(v.startswith("x") for v in old.values)
    old.close()
