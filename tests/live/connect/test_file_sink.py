"""Sink tasks by the file sink: kill -9 without loss, the group as Kafka's own tool and other members see it, tasks that
are added, pause and stop, topics that come and go."""
import os
import random
import sys
import time

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from kafka_io import producer
from weirproc import wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "clients"))
from clienttools import missing  # noqa: E402
from test_java import STACK, java  # noqa: E402

GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


def config(path, topics, **more):
    return {"connector.class": "FileStreamSink", "file": str(path), "topics": topics, "key.converter": "StringConverter",
            "value.converter": "StringConverter", **{k.replace("__", "."): v for k, v in more.items()}}


def create_topic(weir, name, partitions=1):
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(20)


def send(weir, topic, values):
    p = producer(weir.bootstrap)
    for v in values:
        p.produce(topic, value=str(v), key=str(v))
    assert p.flush(30) == 0


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def offsets(weir, name):
    status, body = weir.rest("GET", f"/connectors/{name}/offsets")
    assert status == 200, body
    return {(o["partition"]["kafka_topic"], o["partition"]["kafka_partition"]): o["offset"]["kafka_offset"] for o in body["offsets"]}


def state(weir, name):
    body = weir.rest("GET", f"/connectors/{name}/status")[1]
    return body["connector"]["state"], [t["state"] for t in body["tasks"]]


def members(weir, group):
    body = weir.rest("GET", f"/api/clusters/local/consumer-groups/{group}", base=weir.web)[1]
    return body["members"] if isinstance(body, dict) and "members" in body else 0


def test_kill_9_loses_nothing(weir, tmp_path):
    """Records come all the time while weir is killed again and again: each is written, in the order of its partition but
    for what comes twice."""
    out, written = tmp_path / "out.txt", 0
    create_topic(weir, "kills", 3)
    weir.create_connector("kills", config(out, "kills", tasks__max="2"))
    for _ in range(int(os.environ.get("KILL_ROUNDS", "6"))):
        send(weir, "kills", range(written, written + 700))
        written += 700
        time.sleep(random.random() * 1.5)
        weir.kill()
        weir.start()
    wait_until(lambda: {int(v) for v in lines(out) if v.isdigit()} == set(range(written)), 60)
    wait_until(lambda: sum(offsets(weir, "kills").values()) == written, 60)
    weir.wait_running("kills")


def test_a_restart_goes_on_where_it_was(weir, tmp_path):
    out = tmp_path / "out.txt"
    create_topic(weir, "on")
    send(weir, "on", range(1200))
    weir.create_connector("on", config(out, "on"))
    wait_until(lambda: len(lines(out)) == 1200)
    weir.stop()
    weir.start()
    send(weir, "on", range(1200, 1205))
    wait_until(lambda: len(lines(out)) >= 1205)
    assert lines(out) == [str(n) for n in range(1205)], "an orderly stop repeats nothing"
    assert weir.rest("GET", "/connectors/on/topics")[1] == {"on": {"topics": ["on"]}}


def test_group_tool(weir, tmp_path):
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")
    out = tmp_path / "out.txt"
    create_topic(weir, "t", 4)
    send(weir, "t", range(100))
    weir.create_connector("tool", config(out, "t", tasks__max="2"))
    wait_until(lambda: members(weir, "connect-tool") == 2)
    wait_until(lambda: sum(offsets(weir, "tool").values()) == 100)
    text = java(weir, GROUPS, "--describe", "--group", "connect-tool").stdout
    rows = [line.split() for line in text.splitlines() if line.startswith("connect-tool")]
    assert sorted(int(r[2]) for r in rows) == [0, 1, 2, 3] and sum(int(r[3]) for r in rows) == 100, text
    assert {r[5] for r in rows} == {"0"} and {r[7] for r in rows} == {"/127.0.0.1"}, text
    assert {r[8] for r in rows} == {"connector-consumer-tool-0", "connector-consumer-tool-1"}, text
    text = java(weir, GROUPS, "--describe", "--group", "connect-tool", "--state").stdout
    assert "range" in text and "Stable" in text, text
    reset = ["--reset-offsets", "--group", "connect-tool", "--topic", "t", "--to-earliest", "--execute"]
    assert "Assignments can only be reset if the group" in java(weir, GROUPS, *reset, check=False).stdout
    assert weir.rest("PUT", "/connectors/tool/stop")[0] == 204
    wait_until(lambda: members(weir, "connect-tool") == 0)
    java(weir, GROUPS, *reset)
    assert weir.rest("PUT", "/connectors/tool/resume")[0] == 202
    wait_until(lambda: len(lines(out)) == 200)
    assert sorted(lines(out)) == sorted([str(n) for n in range(100)] * 2)


def test_tasks_are_added_and_taken_away(weir, tmp_path):
    """Each change is a rebalance; commits come before it, so that nothing is written twice."""
    out, n = tmp_path / "out.txt", 0
    create_topic(weir, "many", 6)
    weir.create_connector("many", config(out, "many", tasks__max="1"))
    for tasks in [1, 4, 2, 8]:
        assert weir.rest("PUT", "/connectors/many/config", config(out, "many", tasks__max=str(tasks)))[0] == 200
        wait_until(lambda: members(weir, "connect-many") == tasks)
        send(weir, "many", range(n, n + 60))
        n += 60
        wait_until(lambda: len(lines(out)) >= n)
    assert sorted(int(v) for v in lines(out)) == list(range(n))
    assert len(weir.wait_running("many")["tasks"]) == 8


def test_another_member_shares_the_work(weir, tmp_path):
    out = tmp_path / "out.txt"
    create_topic(weir, "shared", 2)
    weir.create_connector("shared", config(out, "shared", consumer__override__group__id="both"))
    wait_until(lambda: members(weir, "both") == 1)
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "both", "auto.offset.reset": "earliest",
                  "partition.assignment.strategy": "range"})
    c.subscribe(["shared"])
    wait_until(lambda: c.poll(0.2) is None and len(c.assignment()) == 1, 60)
    send(weir, "shared", range(40))
    got = set()
    wait_until(lambda: got.update({m.value().decode() for m in c.consume(100, 0.2)}) or got and len(got) + len(lines(out)) >= 40)
    assert got | set(lines(out)) == {str(n) for n in range(40)} and lines(out)
    c.close()
    wait_until(lambda: members(weir, "both") == 1)
    send(weir, "shared", range(40, 80))
    wait_until(lambda: {str(n) for n in range(40, 80)} <= set(lines(out)))


def test_pause_keeps_the_membership(weir, tmp_path):
    out = tmp_path / "out.txt"
    create_topic(weir, "calm", 2)
    weir.create_connector("calm", config(out, "calm"))
    send(weir, "calm", range(10))
    wait_until(lambda: len(lines(out)) == 10)
    weir.rest("PUT", "/connectors/calm/pause")
    wait_until(lambda: state(weir, "calm") == ("PAUSED", ["PAUSED"]))
    assert sum(offsets(weir, "calm").values()) == 10, "what was done is committed when it pauses"
    send(weir, "calm", range(10, 20))
    # A change of topics makes the group rebalance: the paused member takes part.
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.create_partitions([NewPartitions("calm", 5)])["calm"].result(20)

    def partitions():
        body = weir.rest("GET", "/api/clusters/local/consumer-groups/connect-calm", base=weir.web)[1]
        return len({p["partition"] for p in body["partitions"] if p.get("consumerId")})

    wait_until(lambda: partitions() == 5)
    assert len(lines(out)) == 10 and members(weir, "connect-calm") == 1
    weir.rest("PUT", "/connectors/calm/resume")
    wait_until(lambda: state(weir, "calm") == ("RUNNING", ["RUNNING"]))
    wait_until(lambda: sorted(int(v) for v in lines(out)) == list(range(20)))


def test_created_paused_and_resumed_after_a_kill(weir, tmp_path):
    out = tmp_path / "out.txt"
    create_topic(weir, "p")
    send(weir, "p", ["one"])
    weir.create_connector("p", config(out, "p"))
    wait_until(lambda: lines(out) == ["one"])
    weir.rest("PUT", "/connectors/p/pause")
    wait_until(lambda: state(weir, "p") == ("PAUSED", ["PAUSED"]))
    send(weir, "p", ["two"])
    weir.kill()
    weir.start()
    wait_until(lambda: state(weir, "p") == ("PAUSED", ["PAUSED"]))
    wait_until(lambda: members(weir, "connect-p") == 1)
    weir.rest("PUT", "/connectors/p/resume")
    wait_until(lambda: lines(out) == ["one", "two"])


def test_topics_by_pattern_come_and_go(weir, tmp_path):
    out = tmp_path / "out.txt"
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    create_topic(weir, "shop.a")
    create_topic(weir, "other.a")
    c = config(out, "x")
    del c["topics"]
    weir.create_connector("pattern", {**c, "topics.regex": r"shop\.[a-z]+"})
    send(weir, "shop.a", ["a1"])
    send(weir, "other.a", ["no"])
    wait_until(lambda: lines(out) == ["a1"])
    create_topic(weir, "shop.b", 3)
    send(weir, "shop.b", ["b1", "b2", "b3"])
    wait_until(lambda: sorted(lines(out)) == ["a1", "b1", "b2", "b3"])
    admin.delete_topics(["shop.b"])["shop.b"].result(20)
    wait_until(lambda: "shop.b" not in admin.list_topics(timeout=10).topics)
    send(weir, "shop.a", ["a2"])
    wait_until(lambda: "a2" in lines(out))
    create_topic(weir, "shop.b", 1)
    send(weir, "shop.b", ["b4"])
    wait_until(lambda: "b4" in lines(out))
    assert sorted(lines(out)) == ["a1", "a2", "b1", "b2", "b3", "b4"]
    assert weir.rest("GET", "/connectors/pattern/topics")[1] == {"pattern": {"topics": ["shop.a", "shop.b"]}}
    weir.wait_running("pattern")


def test_a_topic_that_is_deleted_and_made_again_is_read_from_its_start(weir, tmp_path):
    out = tmp_path / "out.txt"
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    create_topic(weir, "gone")
    send(weir, "gone", ["1", "2", "3"])
    weir.create_connector("gone", config(out, "gone"))
    wait_until(lambda: offsets(weir, "gone") == {("gone", 0): 3})
    admin.delete_topics(["gone"])["gone"].result(20)
    wait_until(lambda: offsets(weir, "gone") == {})
    create_topic(weir, "gone")
    send(weir, "gone", ["4"])
    wait_until(lambda: lines(out) == ["1", "2", "3", "4"])
    wait_until(lambda: offsets(weir, "gone") == {("gone", 0): 1})


def test_a_missing_topic_is_made_and_waited_for(weir, tmp_path):
    """As the request for metadata of a Kafka consumer would."""
    out = tmp_path / "out.txt"
    weir.create_connector("early", config(out, "later"))
    weir.wait_running("early")
    send(weir, "later", ["here"])
    wait_until(lambda: lines(out) == ["here"])


@pytest.mark.parametrize("level, want", [("read_committed", ["kept", "plain"]), ("read_uncommitted", ["aborted", "kept", "plain"])])
def test_transactions(weir, tmp_path, level, want):
    out = tmp_path / "out.txt"
    create_topic(weir, "tx")
    create_topic(weir, "marks")
    p = producer(weir.bootstrap, transactional_id="t")
    p.init_transactions(30)
    for value, end in [("aborted", p.abort_transaction), ("kept", p.commit_transaction)]:
        p.begin_transaction()
        p.produce("tx", value=value)
        p.flush(30)
        end(30)
    weir.create_connector("tx", config(out, "tx,marks", consumer__override__isolation__level=level))

    def written():
        return [v for v in lines(out) if not v.startswith("mark ")]
    wait_until(lambda: len(written()) == len(want) - 1)
    # What is not decided yet holds up readers of committed data, and no others. Between two marks the sink has looked at all topics.
    p.begin_transaction()
    p.produce("tx", value="plain")
    p.flush(30)
    for mark in ("mark 1", "mark 2"):
        send(weir, "marks", [mark])
        wait_until(lambda: mark in lines(out))
    assert written() == (want[:-1] if level == "read_committed" else want)
    p.commit_transaction(30)
    wait_until(lambda: written() == want)
    high = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "x"}).get_watermark_offsets(TopicPartition("tx", 0))[1]
    wait_until(lambda: offsets(weir, "tx") == {("tx", 0): high, ("marks", 0): 2})


def test_options_of_the_consumer(weir, tmp_path):
    out = tmp_path / "out.txt"
    create_topic(weir, "o")
    send(weir, "o", range(7))
    weir.create_connector("o", config(out, "o", consumer__override__auto__offset__reset="latest",
                                      consumer__override__max__poll__records="1", consumer__override__client__id="mine"))
    wait_until(lambda: offsets(weir, "o") == {("o", 0): 7})
    send(weir, "o", ["new"])
    wait_until(lambda: lines(out) == ["new"])
    body = weir.rest("GET", "/api/clusters/local/consumer-groups/connect-o", base=weir.web)[1]
    assert body["partitions"][0]["consumerId"].startswith("mine-")
    assert weir.rest("GET", "/connectors/o/offsets")[1]["offsets"]


def test_a_file_that_cannot_be_opened(weir, tmp_path):
    create_topic(weir, "f")
    weir.create_connector("f", config(tmp_path / "no" / "such" / "folder", "f"))
    wait_until(lambda: state(weir, "f") == ("RUNNING", ["FAILED"]))
    trace = weir.rest("GET", "/connectors/f/status")[1]["tasks"][0]["trace"]
    assert "Couldn't find or create file" in trace, trace
    (tmp_path / "no" / "such").mkdir(parents=True)
    send(weir, "f", ["x"])
    assert weir.rest("POST", "/connectors/f/tasks/0/restart")[0] == 204
    wait_until(lambda: lines(tmp_path / "no" / "such" / "folder") == ["x"])
