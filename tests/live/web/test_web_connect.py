"""Kafka Connect through :8080: shapes, secrets, actions."""
import json

import pytest

from kafka_io import producer
from webio import C
from weirproc import wait_until

X = f"{C}/connects/first"
SECRET = "org.apache.kafka.common.security.plain.PlainLoginModule required password=geheim;"


@pytest.fixture
def source(web, weir, tmp_path, request):
    """A running file source with a secret in its configuration."""
    path = tmp_path / "lines.txt"
    path.write_text("one\ntwo\n")
    (tmp_path / "secrets").write_text("y=pw3\n")
    name = "c-" + request.node.name[:40].replace("[", "-").replace("]", "")
    config = {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "file": str(path),
              "topic": name, "producer.override.sasl.jaas.config": SECRET, "some.url": "http://user:pw1@host/", "my.password": "pw2",
              "other.password": f"${{file:{tmp_path}/secrets:y}}"}
    created = web.ok("POST", f"{X}/connectors", {"name": name, "config": config})
    assert set(created) == {"name", "config", "tasks", "type", "status", "connect", "topics", "consumer", "notConnectedSince"}
    weir.wait_running(name)
    yield name
    weir.rest("DELETE", f"/connectors/{name}")


def test_shapes(web, weir, source):
    (one,) = web.ok("GET", f"{C}/connects?withStats=true")
    assert one["name"] == "first" and one["address"] == weir.connect and one["connectorsCount"] >= 1 and one["failedTasksCount"] == 0
    assert set(one) == {"name", "address", "connectorsCount", "failedConnectorsCount", "tasksCount", "failedTasksCount", "version", "commit",
                        "clusterId", "consumerNamePattern"}
    assert web.ok("GET", f"{C}/connects")[0]["connectorsCount"] is None
    row = next(r for r in web.ok("GET", f"{C}/connectors?search={source.upper()}"))
    assert set(row) == {"connect", "name", "connectorClass", "type", "topics", "status", "tasksCount", "failedTasksCount", "consumer", "notConnectedSince", "recentWarnings"}
    assert row["type"] == "SOURCE" and row["status"]["state"] == "RUNNING" and row["consumer"] is None and row["tasksCount"] == 1
    assert source in web.ok("GET", f"{X}/connectors")
    details = wait_until(lambda: (d := web.ok("GET", f"{X}/connectors/{source}"))["topics"] and d, 10)
    assert details["topics"] == [source] and details["tasks"] == [{"connector": source, "task": 0}] and details["connect"] == "first"
    assert set(details["status"]) == {"state", "workerId", "trace"}
    assert [c["name"] for c in web.ok("GET", f"{C}/topics/{source}/connectors")] == [source]
    (task,) = web.ok("GET", f"{X}/connectors/{source}/tasks")
    assert task["id"] == {"connector": source, "task": 0} and task["status"]["state"] == "RUNNING" and task["status"]["id"] == 0
    assert {"class": "org.apache.kafka.connect.file.FileStreamSourceConnector"} in web.ok("GET", f"{X}/plugins")


def test_secrets_do_not_leave(web, weir, source):
    for path in (f"{X}/connectors/{source}", f"{X}/connectors/{source}/config", f"{X}/connectors/{source}/tasks", f"{C}/connectors"):
        text = json.dumps(web.ok("GET", path))
        assert "geheim" not in text and "pw1" not in text and "pw2" not in text and "pw3" not in text, path
    config = web.ok("GET", f"{X}/connectors/{source}/config")
    assert config["my.password"] == "******" and config["some.url"] == "http://user:******@host/"
    assert config["other.password"].startswith("${file:")
    # What was masked is kept when the form comes back; what was changed is changed.
    config["some.url"] = "http://user:******@elsewhere/"
    config["tasks.max"] = 1
    config["batch.size"] = 500
    answer = web.ok("PUT", f"{X}/connectors/{source}/config", config)
    assert answer["config"]["my.password"] == "******"
    stored = weir.rest("GET", f"/connectors/{source}/config")[1]
    assert stored["my.password"] == "pw2" and stored["producer.override.sasl.jaas.config"] == SECRET
    assert stored["some.url"] == "http://user:pw1@elsewhere/" and stored["batch.size"] == "500" and stored["other.password"] == config["other.password"]
    weir.wait_running(source)
    config["my.password"] = "new"
    web.ok("PUT", f"{X}/connectors/{source}/config", config)
    assert weir.rest("GET", f"/connectors/{source}/config")[1]["my.password"] == "new"
    # A mask without anything stored is no password.
    config["new.password"] = "******"
    assert "new.password" in web.refused("PUT", f"{X}/connectors/{source}/config", config, code=4001)
    config["new.password"] = {"nested": True}
    assert "new.password" in web.refused("PUT", f"{X}/connectors/{source}/config", config, code=4001)
    assert "new.password" not in weir.rest("GET", f"/connectors/{source}/config")[1]


def test_last_warnings(web, weir, tmp_path):
    """What the log says of a connector's tasks, for who has no terminal: newest first, references as they were given."""
    (tmp_path / "secrets").write_text("pw=geheim7\n")
    p = producer(weir.bootstrap)
    for text in ("{}", "bad geheim7", "{}", "worse"):
        p.produce("warned", text)
    assert p.flush(30) == 0
    name = "c-warned"
    weir.create_connector(name, {"connector.class": "FileStreamSink", "file": str(tmp_path / "out"), "topics": "warned", "tasks.max": "1",
                                 "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
                                 "errors.tolerance": "all", "errors.log.enable": "true", "a.password": f"${{file:{tmp_path}/secrets:pw}}"})
    lines = wait_until(lambda: len(found := web.ok("GET", f"{X}/connectors/{name}/warnings")) >= 2 and found, 30)
    assert set(lines[0]) == {"at", "level", "task", "text"} and [x["level"] for x in lines] == ["ERROR"] * len(lines)
    assert lines[0]["task"] == 0 and lines[0]["at"] >= lines[-1]["at"] and "converting" in lines[0]["text"].lower(), lines
    assert "geheim7" not in json.dumps(lines)
    weir.rest("DELETE", f"/connectors/{name}")
    web.refused("GET", f"{X}/connectors/{name}/warnings", status=404, code=404)


def test_declared_passwords(web):
    path = f"{X}/plugins/io.debezium.connector.mysql.MySqlConnector/config/validate"
    answer = web.ok("PUT", path, {"connector.class": "io.debezium.connector.mysql.MySqlConnector", "name": "x", "topic.prefix": "p",
                                  "database.password": "geheim", "database.hostname": "127.0.0.1", "database.port": "1"})
    assert "geheim" not in json.dumps(answer)
    assert set(answer) == {"name", "errorCount", "groups", "configs"}
    row = next(c for c in answer["configs"] if c["value"]["name"] == "database.password")
    assert row["definition"]["type"] == "PASSWORD"
    assert set(row["definition"]) == {"name", "type", "required", "defaultValue", "importance", "documentation", "group", "width",
                                      "displayName", "dependents", "order"}
    assert set(row["value"]) == {"name", "value", "recommendedValues", "errors", "visible"}
    assert web.call("PUT", f"{X}/plugins/no.such.Plugin/config/validate", {"connector.class": "no.such.Plugin"})[0] in (400, 404)


def test_actions(web, weir, source):
    def act(action, state):
        web.ok("POST", f"{X}/connectors/{source}/action/{action}")
        wait_until(lambda: web.ok("GET", f"{X}/connectors/{source}")["status"]["state"] == state, 10)
    act("PAUSE", "PAUSED")
    act("RESUME", "RUNNING")
    act("RESTART", "RUNNING")
    act("RESTART_ALL_TASKS", "RUNNING")
    act("RESTART_FAILED_TASKS", "RUNNING")
    weir.wait_running(source)
    web.ok("POST", f"{X}/connectors/{source}/tasks/0/action/restart")
    web.refused("POST", f"{X}/connectors/{source}/action/EXPLODE")
    web.refused("POST", f"{X}/connectors/{source}/tasks/x/action/restart")
    web.refused("POST", f"{X}/connectors/{source}/tasks/7/action/restart", status=404, code=404)
    web.refused("DELETE", f"{X}/connectors/{source}/offsets", code=4021)
    act("STOP", "STOPPED")
    web.ok("DELETE", f"{X}/connectors/{source}/offsets")
    web.ok("DELETE", f"{X}/connectors/{source}")
    web.refused("GET", f"{X}/connectors/{source}", status=404, code=404)
    web.refused("DELETE", f"{X}/connectors/{source}", status=404, code=404)


def test_create_refused(web, source):
    config = {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": "/nowhere", "topic": "x"}
    web.refused("POST", f"{X}/connectors", {"name": source, "config": config})
    web.refused("POST", f"{X}/connectors", {"config": config}, code=4001)
    web.refused("POST", f"{X}/connectors", {"name": "n", "config": ["x"]}, code=4001)
    text = web.refused("POST", f"{X}/connectors", {"name": "n", "config": {**config, "tasks.max": "many"}})
    assert "tasks.max" in text
    web.refused("GET", f"{C}/connects/second/connectors", status=404, code=404)
    web.refused("GET", f"{X}/connectors/none/config", status=404, code=404)
    web.refused("GET", f"{X}/connectors/none/tasks", status=404, code=404)
