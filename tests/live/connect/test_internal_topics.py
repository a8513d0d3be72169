"""The topics in which a Connect worker keeps its state: weir writes what Kafka's worker writes there (a life of a connector as it was recorded
from the real one), follows renames of the topics, and is right again after kill -9."""
import collections
import json
import random
import time

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from kafka_io import read_all
from weirproc import Weir, wait_until

CONFIGS, OFFSETS, STATUS = "connect-configs", "connect-offsets", "connect-status"


def by_key(weir, topic):
    """key -> values in their order, as texts; None is a tombstone."""
    out = collections.defaultdict(list)
    for m in read_all(weir.bootstrap, topic):
        out[m.key().decode()].append(m.value().decode() if m.value() is not None else None)
    return out


def config(path, topic):
    return {"connector.class": "FileStreamSource", "tasks.max": "1", "file": str(path), "topic": topic, "name": "cli-file"}


def state(word, weir, version=True):
    return json.dumps({"state": word, "trace": None, "worker_id": weir.connect[7:], "generation": 1, "version": "4.1.1" if version else None},
                      separators=(",", ":"))


def test_the_life_of_a_connector(weir, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("one\ntwo\n")
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    assert not [t for t in admin.list_topics(timeout=10).topics if t.startswith("connect-")]  # nothing before there is something to say

    def call(method, what, body=None):
        status, answer = weir.rest(method, f"/connectors/cli-file{what}", body)
        assert status < 300, answer

    def wait_state(connector, task):
        def there():
            body = weir.rest("GET", "/connectors/cli-file/status")[1]
            return body["connector"]["state"] == connector and [t["state"] for t in body["tasks"]] == task
        wait_until(there, 60)
    weir.create_connector("cli-file", config(source, "cli.lines"))
    wait_state("RUNNING", ["RUNNING"])
    wait_until(lambda: weir.rest("GET", "/connectors/cli-file/topics")[1]["cli-file"]["topics"] == ["cli.lines"])
    call("PUT", "/pause")
    wait_state("PAUSED", ["PAUSED"])
    call("PUT", "/resume")
    wait_state("RUNNING", ["RUNNING"])
    call("POST", "/restart?includeTasks=true")
    wait_state("RUNNING", ["RUNNING"])
    call("PUT", "/stop")
    wait_state("STOPPED", [])
    partition = {"filename": str(source)}
    call("PATCH", "/offsets", {"offsets": [{"partition": partition, "offset": {"position": 7}}]})
    key = json.dumps(["cli-file", partition], separators=(",", ":"))
    wait_until(lambda: by_key(weir, OFFSETS)[key][-1:] == ['{"position":7}'], 60)
    call("DELETE", "/offsets")
    call("DELETE", "")
    wait_until(lambda: by_key(weir, STATUS)["status-topic-cli.lines:connector-cli-file"][-1:] == [None], 60)
    wait_until(lambda: by_key(weir, CONFIGS)["target-state-cli-file"][-1:] == [None], 60)

    compact = lambda o: json.dumps(o, separators=(",", ":"))  # noqa: E731
    task = {**config(source, "cli.lines"), "task.class": "org.apache.kafka.connect.file.FileStreamSourceTask"}
    assert by_key(weir, CONFIGS) == {
        "connector-cli-file": [compact({"properties": config(source, "cli.lines")}), None],
        "task-cli-file-0": [compact({"properties": task})],
        "commit-cli-file": ['{"tasks":1}', '{"tasks":0}'],
        "target-state-cli-file": ['{"state":"PAUSED","state.v2":"PAUSED"}', '{"state":"STARTED","state.v2":"STARTED"}',
                                  '{"state":"PAUSED","state.v2":"STOPPED"}', None],
        "restart-connector-cli-file": ['{"include-tasks":true,"only-failed":false}']}
    assert by_key(weir, OFFSETS) == {key: ['{"position":8}', '{"position":7}', None]}
    status = by_key(weir, STATUS)
    words = lambda *all: [w and state(w, weir, w not in ("UNASSIGNED", "RESTARTING")) for w in all]  # noqa: E731
    assert status.pop("status-connector-cli-file") == words("RUNNING", "PAUSED", "RUNNING", "UNASSIGNED", "RESTARTING", "RUNNING", "STOPPED", "UNASSIGNED", None)
    assert status.pop("status-task-cli-file-0") == words("RUNNING", "PAUSED", "RUNNING", "UNASSIGNED", "RESTARTING", "RUNNING", "UNASSIGNED", None)
    topic = status.pop("status-topic-cli.lines:connector-cli-file")
    found = json.loads(topic[0])["topic"]
    assert topic[1:] == [None] and found.pop("discoverTimestamp") > time.time() * 1000 - 600000
    assert found == {"name": "cli.lines", "connector": "cli-file", "task": 0} and not status

    topics = admin.list_topics(timeout=10).topics
    assert [len(topics[t].partitions) for t in (CONFIGS, OFFSETS, STATUS)] == [1, 25, 5]
    for t in (CONFIGS, OFFSETS, STATUS):
        resource = ConfigResource(ResourceType.TOPIC, t)
        assert admin.describe_configs([resource])[resource].result()["cleanup.policy"].value == "compact"


def last(weir, topic):
    return {k: v[-1] for k, v in by_key(weir, topic).items() if v[-1] is not None}


def check_mirror(weir):
    """The topics say what REST says."""
    names = weir.rest("GET", "/connectors")[1]
    configs = {f"connector-{n}": {"properties": weir.rest("GET", f"/connectors/{n}/config")[1]} for n in names}
    wait_until(lambda: {k: json.loads(v) for k, v in last(weir, CONFIGS).items() if k.startswith("connector-")} == configs, 60)
    offsets = {}
    for n in names:
        for o in weir.rest("GET", f"/connectors/{n}/offsets")[1]["offsets"]:
            offsets[json.dumps([n, o["partition"]], separators=(",", ":"))] = o["offset"]

    def states():
        return {f"status-connector-{n}": weir.rest("GET", f"/connectors/{n}/status")[1]["connector"]["state"] for n in names}
    wait_until(lambda: {k: json.loads(v)["state"] for k, v in last(weir, STATUS).items() if k.startswith("status-connector-")} == states(), 60)
    there = {k: json.loads(v) for k, v in last(weir, OFFSETS).items()}
    assert {k: v for k, v in there.items() if json.loads(k)[0] in names} == offsets


def test_kill_9(tmp_path):
    """A user at work, killed at random; SQLite is right, and the topics are so again after the start."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    random.seed(seed)
    source = tmp_path / "in.txt"
    source.write_text("one\ntwo\n")
    with Weir("--set", "config.storage.topic=mine", "--set", "offset.storage.partitions=3") as w:
        for n in range(6):
            for k in range(4):
                w.rest("PUT", f"/connectors/c{k}/config", {"connector.class": "FileStreamSource", "file": str(source), "topic": f"t{k}", "note": str(n)})
            w.rest("DELETE", f"/connectors/c{random.randrange(4)}")
            w.rest("PUT", f"/connectors/c{random.randrange(4)}/{random.choice(['stop', 'pause', 'resume'])}")
            time.sleep(random.uniform(0, 0.3))
            w.kill()
            w.start()
        for k in range(4):  # offsets are told when a task ends
            w.rest("PUT", f"/connectors/c{k}/stop")
        global CONFIGS
        was, CONFIGS = CONFIGS, "mine"
        try:
            check_mirror(w)
        finally:
            CONFIGS = was
        topics = AdminClient({"bootstrap.servers": w.bootstrap}).list_topics(timeout=10).topics
        assert was not in topics and len(topics[OFFSETS].partitions) == 3


def test_a_deleted_topic_comes_back(weir, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("one\n")
    weir.create_connector("a", {"connector.class": "FileStreamSource", "file": str(source), "topic": "t"})
    weir.wait_running("a")
    wait_until(lambda: "status-connector-a" in last(weir, STATUS))
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.delete_topics([STATUS])[STATUS].result(30)
    weir.rest("PUT", "/connectors/a/pause")
    wait_until(lambda: STATUS in admin.list_topics(timeout=10).topics)
    wait_until(lambda: json.loads(last(weir, STATUS).get("status-connector-a", '{"state":""}'))["state"] == "PAUSED")
