"""The same round with every client: it creates a topic, produces with each codec that it has, consumes in a group that a
second member joins and leaves, commits, sees weir restart, and goes on with the same connections. The programs are in
rounds/ and go/; they print a JSON object for each step."""
import collections
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from clienttools import missing, restart, run, tool

from kafka_io import read_all

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = os.path.join(HERE, "rounds")
BUILD = os.path.join(HERE, "..", "..", "..", "build")
KAFKAJS = os.path.abspath(os.environ.get("KAFKAJS", os.path.join(BUILD, "kafkajs")))
GO_LEAST = (1, 19)


def python(name, module):
    try:
        __import__(module)
    except ImportError:
        missing(module)
    return [sys.executable, os.path.join(ROUNDS, name)]


def kafkajs():
    if not os.path.isdir(os.path.join(KAFKAJS, "node_modules", "kafkajs")):
        missing("kafkajs")
    return [tool("node"), os.path.join(ROUNDS, "kafkajs.mjs")]


@pytest.fixture(scope="session")
def rounds():
    """The Go program, compiled once."""
    go = shutil.which("go")
    if not go:
        missing("go")
    found = re.search(r"go(\d+)\.(\d+)", run([go, "version"]).stdout)
    if tuple(map(int, found.groups())) < GO_LEAST:
        pytest.skip(f"go {found.group(0)} is older than 1.19, which the client libraries need")
    out = os.path.abspath(os.path.join(BUILD, "rounds"))
    run([go, "build", "-mod=readonly", "-o", out, "."], timeout=280, cwd=os.path.join(HERE, "go"))
    return out


class Steps:
    """Steps of the program as they come, what is told of them by name."""

    def __init__(self, command, weir):
        env = {**os.environ, "KAFKAJS_FROM": os.path.join(KAFKAJS, "x.js")}
        self.process = subprocess.Popen([*command, weir.bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=env)
        self.codecs, self.produced, self.consumed, self.owned, self.offsets = [], 0, [], [], {}
        self.last = None

    def follow(self, weir):
        try:
            for line in self.process.stdout:
                self.step(json.loads(line), weir)
        finally:
            if self.last != "done":
                self.process.kill()
            errors = self.process.communicate()[1]
        assert self.last == "done" and self.process.returncode == 0, f"after {self.last}: {errors[-3000:]}"

    def step(self, s, weir):
        self.last = s["step"]
        if self.last == "produced":
            self.codecs.append(s["codec"])
            self.produced += s["count"]
        elif self.last == "consumed":
            self.consumed.append(s["values"])
        elif self.last == "owned":
            self.owned.append(s["partitions"])
        elif self.last == "committed":
            self.offsets = {int(p): o for p, o in s["offsets"].items()}
        elif self.last == "restart":
            restart(weir)
            self.process.stdin.write("go\n")
            self.process.stdin.flush()


def check(weir, steps, codecs):
    def names(name):
        return {f"{name}-{i}" for i in range(40)}
    assert steps.codecs == codecs + ["none", "none"]
    first, two, after = steps.consumed
    assert set(first) == set().union(*(names(c) for c in codecs)) and len(first) == len(set(first))
    assert set(two) >= names("two") and set(after) >= names("after")
    one, both, last = steps.owned
    assert one == last == [[0, 1, 2, 3]]
    assert sorted(both[0] + both[1]) == [0, 1, 2, 3] and len(both[0]) == 2
    stored = read_all(weir.bootstrap, "rounds", steps.produced)
    assert len(stored) == steps.produced, "records are doubled in the log"
    assert stored[0].headers() == [("h", b"1")] and stored[0].value().endswith(b"x" * 200)
    ends = collections.Counter(m.partition() for m in stored)
    assert steps.offsets == {p: ends[p] for p in range(4)}


@pytest.mark.parametrize("client", ["confluent", "kafka-python", "aiokafka", "kafkajs", "sarama", "kafka-go", "franz-go"])
def test_round(weir, client, request):
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
    if client == "confluent":
        command = python("confluent.py", "confluent_kafka")
    elif client == "kafka-python":
        command = python("kafka_python.py", "kafka")
    elif client == "aiokafka":
        command = python("aiokafka_round.py", "aiokafka")
    elif client == "kafkajs":
        command, codecs = kafkajs(), ["none", "gzip"]
    else:
        command = [request.getfixturevalue("rounds"), client]
    steps = Steps(command, weir)
    steps.follow(weir)
    check(weir, steps, codecs)
