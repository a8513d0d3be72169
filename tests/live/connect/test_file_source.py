"""Connect with its own file source: records through the Kafka protocol, kill -9 without loss or repeats, states
that survive, as a user of REST and a consumer see them."""
import os
import random
import time

import pytest

from kafka_io import read_all
from weirproc import wait_until


def config(path, topic, **more):
    return {"connector.class": "FileStreamSource", "file": str(path), "topic": topic, "value.converter": "StringConverter", **more}


def values(weir, topic, count=None):
    return [m.value().decode() for m in read_all(weir.bootstrap, topic, count)]


def test_lines_become_records(weir, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("one\ntwo\n\nhalf")
    weir.create_connector("lines", config(source, "lines", **{"tasks.max": 1, "not.known": 1.5}))
    assert values(weir, "lines", 3) == ["one", "two", ""]
    with source.open("a") as f:
        f.write(" line\r\nlast\n")
    assert values(weir, "lines", 5)[3:] == ["half line", "last"]
    status, body = weir.rest("GET", "/connectors/lines/config")
    assert status == 200 and body["not.known"] == "1.5" and body["tasks.max"] == "1"


def test_a_file_that_is_not_there_is_told_once_and_waited_for(weir, tmp_path):
    source = tmp_path / "late.txt"
    weir.create_connector("late", config(source, "late"))
    wait_until(lambda: weir.log().count("Couldn't find file") > 0)
    assert f"WARN  connect.task Couldn't find file {source} for FileStreamSourceTask, sleeping to wait for it to be created" in weir.log()
    time.sleep(1)  # some polls
    source.write_text("one\n")
    assert values(weir, "late", 1) == ["one"]
    assert weir.log().count("Couldn't find file") == 1
    assert f"the file {source} is there now and is read" in weir.log()


def test_a_file_that_cannot_be_opened_fails_the_task(weir, tmp_path):
    (tmp_path / "plain").write_text("")
    weir.create_connector("refused", config(tmp_path / "plain" / "x", "refused"))
    task = wait_until(lambda: next((t for t in weir.rest("GET", "/connectors/refused/status")[1]["tasks"] if t["state"] == "FAILED"), None))
    assert "x: Not a directory" in task["trace"] and "\tweir must be allowed to read the file" in task["trace"]


def test_default_converter_writes_schemas(weir, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text('with "quotes"\n')
    weir.create_connector("json", {"connector.class": "FileStreamSource", "file": str(source), "topic": "json"})
    assert values(weir, "json", 1) == ['{"schema":{"type":"string","optional":false},"payload":"with \\"quotes\\""}']


def test_kill_9_neither_loses_nor_repeats(weir, tmp_path):
    """The file grows all the time while weir is killed again and again."""
    source = tmp_path / "in.txt"
    source.write_text("")
    weir.create_connector("kills", config(source, "kills", **{"batch.size": "7", "topic.creation.default.partitions": "3",
                                                              "topic.creation.default.replication.factor": "1"}))
    written, rounds = 0, int(os.environ.get("KILL_ROUNDS", "8"))
    for _ in range(rounds):
        with source.open("a") as f:
            for _ in range(40):
                for _ in range(25):
                    f.write(f"{written}\n")
                    written += 1
                f.flush()
                time.sleep(random.random() * 0.004)
        time.sleep(random.random() * 0.1)
        weir.kill()
        weir.start()
    weir.wait_running("kills")
    got = [int(v) for v in values(weir, "kills", written)]
    time.sleep(0.5)
    assert sorted(int(v) for v in values(weir, "kills")) == list(range(written))
    assert len(got) == written


@pytest.mark.parametrize("wish, shown", [("pause", "PAUSED"), ("stop", "STOPPED")])
def test_what_the_user_asked_for_survives_a_kill(weir, tmp_path, wish, shown):
    source = tmp_path / "in.txt"
    source.write_text("one\n")
    weir.create_connector("wish", config(source, "wish"))
    assert values(weir, "wish", 1) == ["one"]
    weir.rest("PUT", f"/connectors/wish/{wish}")
    weir.kill()
    weir.start()

    def state():
        return weir.rest("GET", "/connectors/wish/status")[1]

    wait_until(lambda: state()["connector"]["state"] == shown)
    wait_until(lambda: [t["state"] for t in state()["tasks"]] == (["PAUSED"] if wish == "pause" else []))
    source.write_text("one\ntwo\n")
    time.sleep(0.5)
    assert values(weir, "wish") == ["one"]
    weir.rest("PUT", "/connectors/wish/resume")
    assert values(weir, "wish", 2) == ["one", "two"]


def test_secrets_stay_out_of_the_log(weir, tmp_path):
    secret = tmp_path / "secret.properties"
    secret.write_text("password=open sesame\n")
    body = config(tmp_path / "none.txt", "t", **{"producer.override.sasl.jaas.config": "open sesame too",
                                                 "some.password": f"${{file:{secret}:password}}"})
    weir.create_connector("secret", body)
    weir.wait_running("secret")
    status, tasks = weir.rest("GET", "/connectors/secret/tasks")
    assert status == 200 and tasks[0]["config"]["some.password"].startswith("${file:")
    assert "sesame" not in weir.log()


def test_a_topic_without_a_name(weir, tmp_path):
    status, body = weir.rest("POST", "/connectors", {"name": "no", "config": config(tmp_path / "in.txt", "")})
    assert status == 400 and "Invalid value  for configuration topic: String must be non-empty" in body["message"]
