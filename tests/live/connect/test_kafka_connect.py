"""The real Kafka Connect (worker of Apache Kafka 4.1) on weir: its internal topics, what it keeps there, restarts, exactly-once.
Slow: a worker takes a good part of a gigabyte and half a minute to start."""
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))
import transcripts  # noqa: E402
from clienttools import missing  # noqa: E402
from confluent_kafka import Consumer  # noqa: E402
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # noqa: E402
from kafka_tools import SHARED, KafkaTools  # noqa: E402
from weirproc import Weir, free_port, wait_until  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STACK = os.path.join(SHARED, "oracle", "stack.sh")


class Worker:
    """`with Worker(folder, bootstrap) as w:` starts one; w.restart() stops it in order and starts it again, w.crash() with kill -9."""

    def __init__(self, folder, bootstrap, extra=""):
        self.folder, self.bootstrap, self.port = str(folder), bootstrap, free_port()
        # What a worker of a cluster is given; weir has one node and makes one replica.
        self.extra = "".join(f"{k}.storage.replication.factor=3\n" for k in ("config", "offset", "status")) + extra

    def start(self):
        if not os.path.exists(STACK):
            missing("the folder with the real Kafka Connect (../shared)")
        done = subprocess.run(["bash", STACK, "connect", os.path.join(self.folder, "worker"), self.bootstrap, str(self.port)], cwd=self.folder,
                              env={**os.environ, "CONNECT_EXTRA": self.extra}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:] + self.log()

    def log(self):
        path = os.path.join(self.folder, "worker", "connect.log")
        return open(path, errors="replace").read()[-4000:] if os.path.exists(path) else ""

    def end(self, sig):
        path = os.path.join(self.folder, "worker", "connect.pid")
        if os.path.exists(path):
            pid = int(open(path).read())
            os.remove(path)
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                return
            wait_until(lambda: not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().split()[2] == "Z", 60)

    def restart(self, sig=signal.SIGTERM):
        self.end(sig)
        self.start()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print("--- worker log\n" + self.log())
        self.end(signal.SIGKILL)

    def rest(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode() if body else None,
                                         {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as e:
            return {"error": e.code, "text": e.read().decode()}
        return json.loads(text) if text else None

    def states(self, name):
        status = self.rest("GET", f"/connectors/{name}/status")
        return [status["connector"]["state"]] + [t["state"] for t in status["tasks"]] if "connector" in status else []


def lines(bootstrap, topic, count, isolation="read_uncommitted", patience=60):
    """Values of a topic from its start: as many as asked for, and what comes within a second after those."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"t{time.monotonic()}", "auto.offset.reset": "earliest", "isolation.level": isolation})
    consumer.subscribe([topic])
    out, until = [], time.monotonic() + patience
    while time.monotonic() < until:
        m = consumer.poll(0.2)
        if m and not m.error():
            out.append(json.loads(m.value())["payload"])
            if len(out) == count:
                until = time.monotonic() + 1
    consumer.close()
    return out


def file_source(name, **more):
    return {"name": name, "config": {"connector.class": "FileStreamSource", "tasks.max": "1", "file": f"{name}.txt", "topic": f"{name}.lines", **more}}


def write(folder, name, *text):
    with open(os.path.join(str(folder), f"{name}.txt"), "a") as f:
        f.writelines(line + "\n" for line in text)


def test_internal_topics_and_restart(tmp_path):
    with Weir() as weir, Worker(tmp_path, weir.bootstrap) as worker:
        admin = AdminClient({"bootstrap.servers": weir.bootstrap})
        topics = admin.list_topics().topics
        for name, partitions in (("connect-configs", 1), ("connect-offsets", 25), ("connect-status", 5)):
            assert len(topics[name].partitions) == partitions
            resource = ConfigResource(ResourceType.TOPIC, name)
            assert admin.describe_configs([resource])[resource].result()["cleanup.policy"].value == "compact"
        write(tmp_path, "a", "1", "2")
        worker.rest("POST", "/connectors", file_source("a"))
        assert lines(weir.bootstrap, "a.lines", 2) == ["1", "2"]
        wait_until(lambda: worker.rest("GET", "/connectors/a/offsets")["offsets"], 60)
        worker.restart()
        write(tmp_path, "a", "3")
        assert lines(weir.bootstrap, "a.lines", 3) == ["1", "2", "3"]
        # weir goes away for a while, with kill -9, and the worker goes on
        weir.kill()
        write(tmp_path, "a", "4")
        weir.start()
        assert sorted(set(lines(weir.bootstrap, "a.lines", 4, patience=120))) == ["1", "2", "3", "4"]


def test_exactly_once(tmp_path):
    with Weir() as weir, Worker(tmp_path, weir.bootstrap, "exactly.once.source.support=enabled\n") as worker:
        write(tmp_path, "a", *(str(i) for i in range(100)))
        created = worker.rest("POST", "/connectors", file_source("a", **{"exactly.once.support": "required", "transaction.boundary": "poll"}))
        assert "error" not in created, created
        assert lines(weir.bootstrap, "a.lines", 100, "read_committed") == [str(i) for i in range(100)]
        worker.end(signal.SIGKILL)
        write(tmp_path, "a", *(str(i) for i in range(100, 200)))
        worker.start()
        assert lines(weir.bootstrap, "a.lines", 200, "read_committed", 120) == [str(i) for i in range(200)]
        assert worker.states("a") == ["RUNNING", "RUNNING"]


def test_what_the_worker_keeps(tmp_path):
    """The transcript connect-topics: keys and values in the internal topics, read with Kafka's own consumer."""
    name = "cli-file"
    after = [  # a line's end, and what must be there before the next one
        ("/connectors -d", lambda w: w.states(name) == ["RUNNING", "RUNNING"] and w.rest("GET", f"/connectors/{name}/offsets")["offsets"]),
        ("/pause", lambda w: w.states(name) == ["PAUSED", "PAUSED"]),
        ("/resume", lambda w: w.states(name) == ["RUNNING", "RUNNING"]),
        ("includeTasks=true", lambda w: time.sleep(2) or w.states(name) == ["RUNNING", "RUNNING"]),
        ("/stop", lambda w: w.states(name) == ["STOPPED"]),
    ]
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    with Weir() as weir, KafkaTools() as tools, Worker(tmp_path, weir.bootstrap) as worker:
        replace = [("127.0.0.1", "localhost"), (f":{worker.port}", ":8083")]
        differences = []
        for step in transcripts.parse(os.path.join(SHARED, "golden", "cli", "connect-topics.txt"), "connect-topics"):
            command = step.command.replace("localhost:9092", weir.bootstrap).replace("localhost:8083", f"127.0.0.1:{worker.port}")
            command = command.replace("--timeout-ms 9000", "--timeout-ms 25000")  # patience, of which nothing is printed
            done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=tools.environment(), stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=120)
            out = done.stdout
            if "--topic connect-status" in command:
                # Five partitions, in any order; and a worker may say more (a repeated state, UNASSIGNED in between).
                out = re.sub(r'"generation":\d+', '"generation":<N>', re.sub(r'"discoverTimestamp":\d+', '"discoverTimestamp":<MS>', out))
                out = "".join(line + "\n" for line in step.out if line.replace("localhost:8083", f"127.0.0.1:{worker.port}") in out.split("\n"))
            differences.append(transcripts.compare(step, out, done.stderr, done.returncode, replace))
            for text, ready in after:
                if text in command.replace("'", ""):
                    wait_until(lambda: ready(worker), 60, 0.2)
        assert not [d for d in differences if d], "\n".join(d for d in differences if d)


def test_debezium(tmp_path):
    """A recorded case of Debezium's MariaDB connector, in the real worker on weir."""
    with Weir("--set", "replication.factor.clamp=true") as weir, Worker(tmp_path, weir.bootstrap) as worker:
        done = subprocess.run([sys.executable, "-B", "golden.py", "check", "--bootstrap", weir.bootstrap, "--connect", f"http://127.0.0.1:{worker.port}",
                               "--work", str(tmp_path / "db"), "--port-offset", "7400", "--stop-services", "mariadb/tutorial-mariadb"],
                              cwd=os.path.join(SHARED, "golden"), capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
