"""Each line of the transcripts of Kafka's own tools (../shared/golden/cli), run against weir, prints what it printed against
Kafka. All run at the same time, each file on a weir of its own, in one JVM."""
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
import transcripts
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient
from kafka_tools import SHARED, KafkaTools
from weirproc import Weir, wait_until

CLI = os.path.join(SHARED, "golden", "cli")
# The last one is about a Connect worker: see connect/test_kafka_connect.py.
NAMES = [n for n in sorted(os.path.basename(p)[:-4] for p in glob.glob(os.path.join(CLI, "*.txt"))) if n != "connect-topics"]

# Lines that take a minute, since the tool waits for what never comes: test_lines_that_wait.
WAITS = {"localhost:9999 --list": "topics", "nohost.invalid": "topics", "del3.json": "offsets", "shop.orders:7": "groups"}

# Where weir is meant to answer differently.
NOT_COMPARED = {
    "kafka-broker-api-versions.sh": "weir serves older versions too, and no calls between brokers",
}
OTHERWISE = [  # command, what goes from the recorded lines, why
    ("kafka-topics.sh --bootstrap-server localhost:9092 --list", "__consumer_offsets", "no group was used on this weir before"),
    ("--topic nosuch1", "{nosuch1=UNKNOWN_TOPIC_OR_PARTITION}", "a topic is there when the first answer leaves"),
    ("--topic nosuch2", "{nosuch2=UNKNOWN_TOPIC_OR_PARTITION}", "a topic is there when the first answer leaves"),
]
# What was chance, or lost, when it was recorded, or differs in a word: command, recorded, what to expect.
CHANCE = [
    ("kafka-features.sh --bootstrap-server localhost:9092 describe", "share.version\tSupportedMinVersion: 0\tSupportedMaxVersion: 1\tFinalizedVersionLevel: 0",
     "share.version\tSupportedMinVersion: 0\tSupportedMaxVersion: 1\tFinalizedVersionLevel: 1"),  # share groups are switched on
    ("--time max-timestamp", "off.t:0:3", "off.t:0:<N>"),  # which of four had the latest millisecond
    ("--state Asleep", "Valid states are: PreparingRebalance, Dead, Empty, CompletingRebalance, Reconciling, Stable, Assigning", "Valid states are: <S>"),
    ("kafka-reassign-partitions.sh --bootstrap-server localhost:9092 --list", None, "No partition reassignments found."),
    ("localhost:9999 --list", None, "Error while executing topic command : Timed out waiting for a node assignment. Call: listTopics"),
    # What the client was about to do when its minute was over.
    ("shop.orders:7", "Call(callName=listOffsets(api=METADATA), deadlineMs=<N>, tries=<N>, nextAllowedTryMs=<N>) timed out at <N> after <N> attempt(s)", "<T>"),
    ("shop.orders:7", "Caused by: org.apache.kafka.common.errors.DisconnectException: Cancelled listOffsets(api=METADATA) request with correlation id "
     "<N> due to node 1 being disconnected", "<usage>"),
]
ANY_ORDER = ["kafka-delete-records.sh", "print.headers=true"]  # of a hash map; of partitions that a producer chose by chance


def expect(step):
    for command, gone, _ in OTHERWISE:
        if command in step.command:
            before = step.out
            step.out = [line for line in step.out if gone not in line]
            step.err = [line for line in step.err if gone not in line]
            if before and not step.out and "--list" in command:
                step.out = [""]  # kafka-topics prints an empty list so
    for command, recorded, now in CHANCE:
        if command in step.command:
            step.out = [line.replace(recorded, now) for line in step.out] if recorded else [now]
            step.err = [line.replace(recorded, now) for line in step.err] if recorded else step.err
    return step


class Session:
    """One transcript's weir and folder."""

    def __init__(self, weir, tools, folder):
        self.weir, self.tools, self.folder, self.jobs = weir, tools, folder, []
        self.port = weir.bootstrap.rsplit(":", 1)[1]
        self.replace = [("127.0.0.1", "localhost"), (self.port, "9092")]

    def start(self, step):
        command = step.command.replace("localhost:9092", f"localhost:{self.port}")
        if "kafka-console-consumer.sh" in command:  # the recordings' patience, of which nothing is printed
            command = re.sub(r"--timeout-ms \d+", "--timeout-ms 2500", command)
        return subprocess.Popen(["bash", "-c", "exec " + command[:-2] if command.endswith(" &") else command], text=True,
                                cwd=self.folder, env=self.tools.environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, step):
        """None, or how it differs from the recording."""
        if step.command.startswith("kill"):
            job = self.jobs.pop()
            job.send_signal(signal.SIGTERM)
            out, err = job.communicate(timeout=60)
            return transcripts.compare(step, out, err, None, self.replace)
        job = self.start(step)
        if step.command.endswith(" &"):
            self.jobs.append(job)
            admin = AdminClient({"bootstrap.servers": self.weir.bootstrap})
            ask = [ConsumerGroupTopicPartitions("shop-live")]
            wait_until(lambda: admin.list_consumer_group_offsets(ask)["shop-live"].result().topic_partitions)  # it commits after a while
            return None
        out, err = job.communicate(timeout=180)
        if any(c in step.command for c in ANY_ORDER):
            out, step.out = "".join(sorted(out.splitlines(True))), sorted(step.out)
        return transcripts.compare(step, out, err, job.returncode, self.replace)


def run_all(name, tools, times):
    differences = []
    folder = tempfile.mkdtemp(prefix="weir-cli-")
    try:
        with Weir("--set", "replication.factor.clamp=false") as weir:
            session = Session(weir, tools, folder)
            for step in transcripts.parse(os.path.join(CLI, name + ".txt"), name):
                if any(w in step.command for w in (*WAITS, *NOT_COMPARED)):
                    continue
                t0 = time.monotonic()
                difference = session.run(expect(step))
                times.append((time.monotonic() - t0, repr(step)))
                if difference:
                    differences.append(difference)
            for job in session.jobs:
                job.kill()
            if differences:
                differences.append("--- weir log\n" + weir.log()[-3000:])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return differences


@pytest.fixture(scope="module")
def results():
    times = []
    with KafkaTools() as tools, concurrent.futures.ThreadPoolExecutor(len(NAMES) or 1) as pool:
        yield {name: pool.submit(run_all, name, tools, times) for name in NAMES}
    for seconds, step in sorted(times)[-8:]:
        print(f"{seconds:6.1f} s  {step}")


@pytest.mark.parametrize("name", NAMES)
def test_transcript(results, name):
    differences = results[name].result(timeout=280)
    assert not differences, "\n" + "\n".join(differences)


@pytest.mark.slow
@pytest.mark.parametrize("text", WAITS)
def test_lines_that_wait(text, tmp_path):
    name = WAITS[text]
    steps = transcripts.parse(os.path.join(CLI, name + ".txt"), name)
    line = next(s for s in steps if text in s.command and not s.command.startswith("cat"))
    before = [s for s in steps if "del3.json <<<" in s.command or (name == "groups" and s.where in ("groups:1", "groups:10", "groups:18"))]
    with KafkaTools() as tools, Weir() as weir:
        session = Session(weir, tools, str(tmp_path))
        for step in before:
            session.run(step)
        difference = session.run(expect(line))
        assert not difference, "\n" + difference
