"""Share groups (KIP-932): Java's share consumer and Kafka's tool for share groups."""
import os
import signal
import subprocess
import threading

import pytest
from clienttools import missing, restart
from test_java import STACK, java
from weirproc import Weir, wait_until

GROUPS = "org.apache.kafka.tools.consumer.group.ShareGroupCommand"
FAST = ["--set", "group.share.heartbeat.interval.ms=500", "--set", "group.share.min.heartbeat.interval.ms=100",
        "--set", "group.share.record.lock.duration.ms=3000", "--set", "group.share.min.record.lock.duration.ms=1000",
        "--set", "group.share.session.timeout.ms=6000", "--set", "group.share.min.session.timeout.ms=1000"]


@pytest.fixture(autouse=True)
def installed():
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")


@pytest.fixture
def fast():
    with Weir(*FAST) as w:
        yield w


class Share:
    """A console share consumer in a process of its own; lines as they come."""

    def __init__(self, weir, group, *arguments):
        self.lines, self.errors = [], []
        self.process = subprocess.Popen(
            ["bash", STACK, "tool", "org.apache.kafka.tools.consumer.ConsoleShareConsumer", "--bootstrap-server", weir.bootstrap,
             "--topic", "t", "--group", group, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        for pipe, to in [(self.process.stdout, self.lines), (self.process.stderr, self.errors)]:
            threading.Thread(target=lambda p=pipe, t=to: [t.append(line.rstrip("\n")) for line in p], daemon=True).start()

    def end(self, how=signal.SIGTERM):
        try:
            os.killpg(self.process.pid, how)
        except ProcessLookupError:
            pass
        self.process.wait(timeout=60)


def topic(weir, partitions=2):
    java(weir, "org.apache.kafka.tools.TopicCommand", "--create", "--topic", "t", "--partitions", str(partitions))


def produce(weir, *lines):
    java(weir, "org.apache.kafka.tools.ConsoleProducer", "--topic", "t", stdin="".join(f"{line}\n" for line in lines))


def from_the_start(weir, group):
    java(weir, "kafka.admin.ConfigCommand", "--alter", "--entity-type",
         "groups", "--entity-name", group, "--add-config", "share.auto.offset.reset=earliest")


def starts(weir, group):
    """{partition: start offset} as the tool prints them."""
    out = java(weir, GROUPS, "--describe", "--group", group, "--offsets").stdout.splitlines()
    rows = [line.split() for line in out if line.strip()]
    at = {name: i for i, name in enumerate(rows[0])} if rows else {}
    return {int(r[at["PARTITION"]]): r[at["START-OFFSET"]] for r in rows[1:] if r[0] == group}


def test_two_consumers_share_the_records(fast):
    topic(fast)
    from_the_start(fast, "s")
    sent = [f"v{i}" for i in range(30)]
    produce(fast, *sent)
    a, b = Share(fast, "s"), Share(fast, "s")

    def both_have_some():  # one may join long before the other
        lines = [f"w{len(sent)}-{i}" for i in range(20)]
        produce(fast, *lines)
        sent.extend(lines)
        return a.lines and b.lines
    try:
        wait_until(both_have_some, timeout=120)
        wait_until(lambda: len(a.lines) + len(b.lines) >= len(sent), timeout=60)
        assert sorted(a.lines + b.lines) == sorted(sent)
    finally:
        a.end()
        b.end()
    wait_until(lambda: sum(int(x) for x in starts(fast, "s").values()) == len(sent), timeout=60)


def test_goes_on_after_a_restart(fast):
    topic(fast, 1)
    from_the_start(fast, "s")
    produce(fast, "1", "2", "3")
    a = Share(fast, "s", "--max-messages", "3")
    wait_until(lambda: a.lines == ["1", "2", "3"], timeout=60)
    a.process.wait(timeout=60)
    wait_until(lambda: starts(fast, "s") == {0: "3"}, timeout=60)
    restart(fast)
    produce(fast, "4")
    b = Share(fast, "s")
    try:
        wait_until(lambda: b.lines == ["4"], timeout=60)
        fast.kill()  # with members
        fast.start()
        produce(fast, "5")
        wait_until(lambda: "5" in b.lines, timeout=60)
    finally:
        b.end()


def test_what_a_dead_member_held_is_delivered_again(fast):
    topic(fast, 1)
    from_the_start(fast, "s")
    a = Share(fast, "s", "--consumer-property", "share.acknowledgement.mode=explicit", "--release")
    try:
        produce(fast, "poison")
        wait_until(lambda: len(a.lines) >= 5, timeout=60)  # released again and again, up to the limit of deliveries
        wait_until(lambda: starts(fast, "s") == {0: "1"}, timeout=60)
        assert a.lines == ["poison"] * 5
    finally:
        a.end(signal.SIGKILL)
    b = Share(fast, "s", "--reject")
    try:
        produce(fast, "rejected")
        wait_until(lambda: b.lines == ["rejected"], timeout=60)
        wait_until(lambda: starts(fast, "s") == {0: "2"}, timeout=60)
    finally:
        b.end()


def test_tool(fast):
    topic(fast)
    from_the_start(fast, "s")
    produce(fast, *[f"v{i}" for i in range(10)])
    a = Share(fast, "s")
    try:
        wait_until(lambda: len(a.lines) == 10, timeout=60)
        assert "s" in java(fast, GROUPS, "--list").stdout.split()
        out = java(fast, GROUPS, "--describe", "--group", "s", "--state").stdout
        assert "Stable" in out, out
        out = java(fast, GROUPS, "--describe", "--group", "s", "--members").stdout
        assert "t:0,1" in out, out
        status, page = fast.rest("GET", "/api/clusters/local/consumer-groups/s", base=fast.web)
        assert status == 200 and page["state"] == "STABLE" and page["members"] == 1
        refused = java(fast, GROUPS, "--delete", "--group", "s", check=False)
        assert "not empty" in (refused.stdout + refused.stderr).lower() or "NonEmpty" in refused.stdout + refused.stderr
    finally:
        a.end()
    wait_until(lambda: sum(int(x) for x in starts(fast, "s").values()) == 10, timeout=60)
    wait_until(lambda: "Empty" in java(fast, GROUPS, "--describe", "--group", "s", "--state").stdout, timeout=60)
    java(fast, GROUPS, "--delete-offsets", "--group", "s", "--topic", "t")
    assert not starts(fast, "s")
    java(fast, GROUPS, "--delete", "--group", "s")
    assert "s" not in java(fast, GROUPS, "--list").stdout.split()
