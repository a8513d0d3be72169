"""connect-distributed and connect-standalone as tutorials type them: links to weir by the names of Kafka's scripts."""
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from weirproc import BINARY, free_port

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CONNECT_", "WEIR_", "LOG_DIR"))}


class Place:
    """A folder as a Kafka installation has it: bin/, config/, logs/; and free ports for weir."""

    def __init__(self, path):
        self.path, self.port = path, free_port()
        for folder in ("bin", "config"):
            (path / folder).mkdir()
        for name in ("connect-distributed.sh", "connect-standalone.sh", "connect-standalone"):
            (path / "bin" / name).symlink_to(BINARY)

    def write(self, name, text):
        (self.path / "config" / name).write_text(text)
        return f"config/{name}"

    def worker(self, name="connect-distributed.properties"):
        return self.write(name, f"bootstrap.servers=localhost:9092\nkey.converter.schemas.enable=false\nvalue.converter=org.apache.kafka.connect.storage.StringConverter\n"
                                f"offset.storage.file.filename=/tmp/connect.offsets\nlisteners=http://127.0.0.1:{self.port}\n")

    def command(self, script, *arguments, data="data"):
        return [f"bin/{script}", *arguments, "--data-dir", str(self.path / data), "--kafka-listen", "127.0.0.1:0", "--web-listen=127.0.0.1:0"]

    def run(self, *command, **more):
        return subprocess.run(self.command(*command), cwd=self.path, capture_output=True, text=True, timeout=60, env={**ENVIRONMENT, "HOME": str(self.path), **more})

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return json.loads(answer.read())

    def pid(self):
        return int((self.path / "data/kafka-logs/.lock").read_text())

    def end(self):
        pid = self.pid()
        os.kill(pid, signal.SIGTERM)
        for _ in range(300):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            if "Z" in open(f"/proc/{pid}/stat").read().split()[2]:
                return
            time.sleep(0.1)
        raise AssertionError("weir does not end")


@pytest.fixture
def place(tmp_path):
    p = Place(tmp_path)
    yield p
    try:
        p.end()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        pass


def until_running(place, name):
    for _ in range(100):
        status = place.ask(f"/connectors/{name}/status")
        if [t["state"] for t in status["tasks"]] == ["RUNNING"]:
            return
        time.sleep(0.1)
    raise AssertionError(status)


def test_distributed_in_the_background(place):
    """The prompt comes back when the worker answers; its log is where Kafka's script puts it."""
    done = place.run("connect-distributed.sh", "-daemon", place.worker(), LOG_DIR=str(place.path / "logs"))
    assert done.returncode == 0, done.stderr
    assert f"http://127.0.0.1:{place.port}" in done.stdout and done.stderr == ""
    assert place.ask("/connectors") == []
    assert os.getsid(place.pid()) == place.pid()
    assert all(os.readlink(f"/proc/{place.pid()}/fd/{fd}") == "/dev/null" for fd in range(3))
    again = place.run("connect-distributed.sh", "-daemon", place.worker())
    assert again.returncode == 3 and "runs here already" in again.stderr and "it is a Connect worker, too" in again.stderr, again.stderr
    place.end()
    assert "stopped" in (place.path / "logs/connectDistributed.out").read_text()


def test_standalone_with_connectors(place):
    (place.path / "in.txt").write_text("one\n")
    source = place.write("connect-file-source.properties", "name=local-file-source\nconnector.class=FileStreamSource\ntasks.max=1\nfile=in.txt\ntopic=connect-test\n")
    sink = place.write("sink.json", json.dumps({"name": "sink", "config": {"connector.class": "FileStreamSink", "tasks.max": 1, "file": "out.txt", "topics": "connect-test"}}))
    bare = place.write("bare.json", json.dumps({"name": "bare", "connector.class": "FileStreamSource", "file": "in.txt", "topic": "other"}))
    process = subprocess.Popen(place.command("connect-standalone.sh", place.worker("connect-standalone.properties"), source, sink, bare), cwd=place.path,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**ENVIRONMENT, "HOME": str(place.path)})
    try:
        assert any(line.startswith("  try") for line in process.stdout)
        assert sorted(place.ask("/connectors")) == ["bare", "local-file-source", "sink"]
        until_running(place, "local-file-source")
        for _ in range(100):
            if (place.path / "out.txt").exists() and (place.path / "out.txt").read_text() == "one\n":
                break
            time.sleep(0.1)
        assert (place.path / "out.txt").read_text() == "one\n"
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
    # The file counts again at the next start; connectors that are not named stay.
    place.write("connect-file-source.properties", "name=local-file-source\nconnector.class=FileStreamSource\nfile=in.txt\ntopic=changed\n")
    done = place.run("connect-standalone", "-daemon", place.worker("connect-standalone.properties"), source)
    assert done.returncode == 0, done.stderr
    assert place.ask("/connectors/local-file-source/config")["topic"] == "changed"
    assert sorted(place.ask("/connectors")) == ["bare", "local-file-source", "sink"]
    told = re.findall(" INFO  main (connectors of an earlier start.*)", (place.path / "data/connectStandalone.out").read_text())
    first, second = told[0].split(": ")[1].split(".")[0].split(", ")
    assert {first, second} == {"bare", "sink"}
    assert told == [f"connectors of an earlier start are there, too: {first}, {second}. To leave them out: curl -X DELETE "
                    f"http://127.0.0.1:{place.port}/connectors/{first}, or another directory than {place.path}/data by --data-dir"]
    place.end()
    # Neither is a connector told that is named, nor any of a distributed worker, whose connectors always stay.
    for command in (("connect-standalone", "-daemon", place.worker("connect-standalone.properties"), source, sink, bare), ("connect-distributed.sh", "-daemon", place.worker())):
        done = place.run(*command)
        assert done.returncode == 0, done.stderr
        assert sorted(place.ask("/connectors")) == ["bare", "local-file-source", "sink"]
        place.end()
    assert "earlier start" not in (place.path / "data/connectDistributed.out").read_text()
    assert (place.path / "data/connectStandalone.out").read_text().count("earlier start") == 1


def test_what_is_wrong_is_told(place):
    worker = place.worker("connect-standalone.properties")
    nameless = place.write("nameless.properties", "connector.class=FileStreamSource\ntopic=t\n")
    wrong = place.write("wrong.properties", "name=a\nconnector.class=FileStreamSource\ntopic=t\ntasks.max=many\n")
    broken = place.write("broken.json", '{"name": "a", "config": {')
    empty = place.write("empty.json", '{"name": "a"}')
    for arguments, status, words in ((("connect-standalone.sh", worker, nameless), 2, f"{nameless}: the connector has no name; add a line name=NAME"),
                                     (("connect-standalone.sh", "-daemon", worker, wrong), 2, "Invalid value many for configuration tasks.max: Not a number of type INT"),
                                     (("connect-standalone.sh", worker, broken), 2, f"{broken}: Unexpected end-of-input"),
                                     (("connect-standalone.sh", worker, empty), 2, f"{empty}: Connector config {{name}} contains no connector type"),
                                     (("connect-standalone.sh", worker, "config/none.properties"), 2, "weir: opening config/none.properties: No such file"),
                                     (("connect-standalone.sh", "-x", worker), 2, "there is no option -x; see connect-standalone --help"),
                                     (("connect-distributed.sh",), 2, "connect-distributed needs the properties file of the worker"),
                                     (("connect-distributed.sh", worker, nameless), 2, "takes one file")):
        done = place.run(*arguments)
        assert done.returncode == status and words in done.stderr, (arguments, done.returncode, done.stderr)
    for script in ("connect-distributed.sh", "connect-standalone.sh"):
        done = place.run(script, "--help")
        assert done.returncode == 0 and re.search(r"usage: connect-\w+ \[-daemon\]", done.stdout)
    with pytest.raises(urllib.error.URLError):
        place.ask("/connectors")
