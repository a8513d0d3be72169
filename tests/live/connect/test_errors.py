"""errors.* with a real client reading the dead-letter queue: headers, bytes and order, tolerance, log lines, kill -9 in
between, a queue that is deleted or cannot be made; and sources that fail in the middle of a file."""
import random
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from kafka_io import producer, read_all
from weirproc import wait_until

JSON_EXCEPTION = "org.apache.kafka.connect.errors.DataException"


def config(path, topic, **more):
    return {"connector.class": "FileStreamSink", "file": str(path), "topics": topic, "key.converter": "StringConverter",
            "value.converter": "JsonConverter", "value.converter.schemas.enable": "false", "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.context.headers.enable": "true",
            **{k.replace("__", "."): v for k, v in more.items()}}


def send(weir, topic, values, **more):
    p = producer(weir.bootstrap)
    for v in values:
        p.produce(topic, value=v, **more)
    assert p.flush(30) == 0


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def failed(weir, name):
    """The trace of the failed task."""
    def trace():
        tasks = weir.rest("GET", f"/connectors/{name}/status")[1]["tasks"]
        return tasks and tasks[0]["state"] == "FAILED" and tasks[0]["trace"]
    return wait_until(trace)


def test_what_a_client_reads_from_the_queue(weir, tmp_path):
    p = producer(weir.bootstrap)
    p.produce("in", value=b"1")
    p.produce("in", key=b"\xff\xfe", value=b"{broken", headers=[("own", b"\x00\x01"), ("own", None)], timestamp=1700000000123)
    p.produce("in", key="k", value=None)
    assert p.flush(30) == 0
    weir.create_connector("letters", config(tmp_path / "out.txt", "in"))
    wait_until(lambda: lines(tmp_path / "out.txt") == ["1", "null"])
    (letter,) = read_all(weir.bootstrap, "dead", 1)
    assert letter.key() == b"\xff\xfe" and letter.value() == b"{broken" and letter.timestamp()[1] == 1700000000123
    heads = letter.headers()
    assert heads[:2] == [("own", b"\x00\x01"), ("own", None)]
    names, texts = [n for n, _ in heads[2:]], {n: v.decode() for n, v in heads[2:]}
    assert names == ["__connect.errors." + n for n in ["topic", "partition", "offset", "connector.name", "task.id", "stage", "class.name",
                                                       "exception.class.name", "exception.message", "exception.stacktrace"]]
    assert [texts["__connect.errors." + n] for n in ["topic", "partition", "offset", "connector.name", "task.id", "stage", "class.name"]] == [
        "in", "0", "1", "letters", "0", "VALUE_CONVERTER", "org.apache.kafka.connect.json.JsonConverter"]
    assert texts["__connect.errors.exception.class.name"] == JSON_EXCEPTION
    assert texts["__connect.errors.exception.stacktrace"].startswith(JSON_EXCEPTION + ": " + texts["__connect.errors.exception.message"])
    assert weir.rest("GET", "/connectors/letters/offsets")[0] == 200


def test_nothing_is_tolerated(weir, tmp_path):
    out = tmp_path / "out.txt"
    send(weir, "in", ["1", "oops", "2"])
    weir.create_connector("strict", config(out, "in", errors__tolerance="none", errors__deadletterqueue__context__headers__enable="false"))
    trace = failed(weir, "strict").splitlines()
    assert trace[0] == "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler"
    assert trace[1].startswith("Caused by: " + JSON_EXCEPTION + ": Converting byte[] to Kafka Connect data failed"), trace
    assert [m.value() for m in read_all(weir.bootstrap, "dead", 1)] == [b"oops"]
    assert weir.rest("GET", "/connectors/strict/status")[1]["connector"]["state"] == "RUNNING"
    # The user takes the change that helps: it goes on without a loss.
    assert weir.rest("PATCH", "/connectors/strict/config", {"errors.tolerance": "all"})[0] == 200
    wait_until(lambda: lines(out) == ["1", "2"])


def test_kill_9_between_records_and_letters(weir, tmp_path):
    """Every third record is bad: after kills each good one is in the file and each bad one in the queue."""
    out, n = tmp_path / "out.txt", 0
    weir.create_connector("kills", config(out, "in"))
    for _ in range(5):
        send(weir, "in", [f"bad {i}" if i % 3 == 0 else str(i) for i in range(n, n + 300)])
        n += 300
        time.sleep(random.random() * 1.2)
        weir.kill()
        weir.start()
    wait_until(lambda: {int(v) for v in lines(out) if v.isdigit()} == {i for i in range(n) if i % 3}, 60)
    want = {f"bad {i}".encode() for i in range(0, n, 3)}
    wait_until(lambda: {m.value() for m in read_all(weir.bootstrap, "dead")} == want, 60)


def test_a_queue_that_is_deleted_is_made_again(weir, tmp_path):
    out = tmp_path / "out.txt"
    send(weir, "in", ["one"])
    weir.create_connector("again", config(out, "in"))
    read_all(weir.bootstrap, "dead", 1)
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.delete_topics(["dead"])["dead"].result(20)
    send(weir, "in", ["two", "3"])
    wait_until(lambda: lines(out) == ["3"])
    assert [m.value() for m in read_all(weir.bootstrap, "dead", 1)] == [b"two"]


def test_a_queue_that_cannot_be_made(weir, tmp_path):
    send(weir, "in", ["1"])
    weir.create_connector("no", config(tmp_path / "out.txt", "in", errors__deadletterqueue__topic__name="not a name!"))
    trace = failed(weir, "no").splitlines()
    assert trace[0] == "org.apache.kafka.connect.errors.ConnectException: Could not initialize dead letter queue with topic=not a name!"
    assert trace[1].startswith("Caused by: "), trace


def test_the_queue_has_the_partitions_that_it_has(weir, tmp_path):
    """One that exists is used as it is, records with a key where any producer would put them."""
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    for topic, partitions in [("dead", 4), ("in", 4)]:
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(20)
    for key in ["a", "b", "c", "d", "e"]:
        send(weir, "in", ["bad"], key=key, partition=-1)
    weir.create_connector("parts", config(tmp_path / "out.txt", "in"))
    letters = read_all(weir.bootstrap, "dead", 5)
    admin.create_topics([NewTopic("same", 4, 1)])["same"].result(20)
    p = producer(weir.bootstrap, partitioner="murmur2_random")
    for key in ["a", "b", "c", "d", "e"]:
        p.produce("same", key=key, value="x")
    assert p.flush(30) == 0
    where = {m.key(): m.partition() for m in read_all(weir.bootstrap, "same", 5)}
    assert {m.key(): m.partition() for m in letters} == where


@pytest.mark.parametrize("messages", ["true", "false"])
def test_log_lines(weir, tmp_path, messages):
    send(weir, "in", ["bad"], timestamp=1700000000000)
    weir.create_connector("logs", config(tmp_path / "out.txt", "in", errors__log__enable="true", errors__log__include__messages=messages))
    read_all(weir.bootstrap, "dead", 1)
    line = wait_until(lambda: [x for x in weir.log().splitlines() if "Error encountered in task logs-0" in x])[0]
    assert "Executing stage 'VALUE_CONVERTER' with class 'org.apache.kafka.connect.json.JsonConverter'" in line
    record = ", where consumed record is {topic='in', partition=0, offset=0, timestamp=1700000000000, timestampType=CreateTime}."
    assert (record in line) == (messages == "true"), line


def test_a_source_that_fails_in_the_middle(weir, tmp_path):
    """What comes before the record that fails is sent, once however often it is tried; then the rest, when bad ones are
    tolerated."""
    source = tmp_path / "in.txt"
    source.write_text("1\n2\nthree\n4\n")
    weir.create_connector("middle", {"connector.class": "FileStreamSource", "file": str(source), "topic": "middle",
                                     "value.converter": "StringConverter", "transforms": "c", "transforms.c.spec": "int32",
                                     "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value"})
    assert "Tolerance exceeded in error handler" in failed(weir, "middle")
    for _ in range(2):
        weir.rest("POST", "/connectors/middle/tasks/0/restart")
        failed(weir, "middle")
    assert [m.value() for m in read_all(weir.bootstrap, "middle")] == [b"1", b"2"]
    weir.kill()
    weir.start()
    failed(weir, "middle")
    assert [m.value() for m in read_all(weir.bootstrap, "middle")] == [b"1", b"2"]
    assert weir.rest("PATCH", "/connectors/middle/config", {"errors.tolerance": "all"})[0] == 200
    wait_until(lambda: [m.value() for m in read_all(weir.bootstrap, "middle")][-1] == b"4")
    assert {m.value() for m in read_all(weir.bootstrap, "middle")} == {b"1", b"2", b"4"}
    weir.wait_running("middle")


def file_source(path, topic, **more):
    return {"connector.class": "FileStreamSource", "file": str(path), "topic": topic, "value.converter": "StringConverter",
            "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
            "topic.creation.default.max.message.bytes": "2000", **{k.replace("__", "."): v for k, v in more.items()}}


def test_a_topic_with_a_limit_takes_many_small_records(weir, tmp_path):
    """Batches are as small as the topic wants them; only a record that is too large itself fails."""
    source = tmp_path / "in.txt"
    source.write_text("".join(f"line {i}\n" for i in range(700)) + "x" * 5000 + "\nlast\n")
    weir.create_connector("limit", file_source(source, "limit"))
    trace = failed(weir, "limit").splitlines()
    assert trace == ["org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception from producer send callback",
                     "Caused by: org.apache.kafka.common.errors.RecordTooLargeException: The request included a message larger than the "
                     "max message size the server will accept."]
    assert [m.value() for m in read_all(weir.bootstrap, "limit")] == [f"line {i}".encode() for i in range(700)]
    assert weir.rest("PATCH", "/connectors/limit/config", {"errors.tolerance": "all", "errors.log.enable": "true"})[0] == 200
    wait_until(lambda: read_all(weir.bootstrap, "limit")[-1].value() == b"last")
    assert not [m for m in read_all(weir.bootstrap, "limit") if len(m.value()) > 100]
    assert "Executing stage 'KAFKA_PRODUCE' with class 'org.apache.kafka.connect.runtime.WorkerSourceTask'" in weir.log()


def test_what_fits_when_it_is_compressed(weir, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("first\n" + "x" * 100000 + "\nlast\n")
    weir.create_connector("packed", file_source(source, "packed", producer__override__compression__type="gzip"))
    assert [len(m.value()) for m in read_all(weir.bootstrap, "packed", 3)] == [5, 100000, 4]


def test_rules_for_topics_that_are_not_whole(weir, tmp_path):
    config = file_source(tmp_path / "in.txt", "rules")
    del config["topic.creation.default.replication.factor"]
    status, body = weir.rest("POST", "/connectors", {"name": "rules", "config": config})
    assert status == 400
    assert 'Missing required configuration "topic.creation.default.replication.factor" which has no default value.' in body["message"]
