"""Kafka's Java clients of 4.1 with transactions (version 2 of the protocol), its tools for transactions, and Kafka Streams with
exactly_once_v2, across kills of weir."""
import collections
import os
import random
import sqlite3
import subprocess
import tempfile
import time

import pytest
from clienttools import missing, run, tool
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka_io import producer
from test_java import HERE, STACK, java
from test_transactions import committed_offset, make_topic, read, transactional
from weirproc import Weir, wait_until

TOOL = "org.apache.kafka.tools.TransactionsCommand"


@pytest.fixture(scope="session")
def classes():
    """Folder of the compiled programs, and a class path."""
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own jars (../shared)")
    path = run(["bash", STACK, "classpath"], timeout=300).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="weir-classes-") as out:
        sources = [os.path.join(HERE, "java", name) for name in ("Transactions.java", "WordCount.java")]
        run([tool("javac"), "-cp", path, "-d", out, *sources], timeout=120)
        yield f"{out}:{path}"


class Java:
    """A Java program that is told things line by line."""

    def __init__(self, classes, name, *arguments):
        self.err = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes, name, *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.process.kill()
            self.err.seek(0)
            print(self.err.read()[-6000:])
        self.process.stdin.close()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()

    def tell(self, *lines):
        """The outcomes of some commands."""
        out = []
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            out.append(self.process.stdout.readline().strip())
        return out

    def ok(self, *lines):
        outcome = self.tell(*lines)
        assert outcome == ["ok"] * len(lines), list(zip(lines, outcome))


def table(text):
    """Rows of a tool's table, by its headings."""
    lines = [line.split("\t") for line in text.splitlines() if line.strip()]
    names = [name.strip() for name in lines[0]]
    return [dict(zip(names, (cell.strip() for cell in line))) for line in lines[1:]]


def describe(weir, tid):
    return table(java(weir, TOOL, "describe", "--transactional-id", tid).stdout)[0]


def test_transactions(weir, classes):
    make_topic(weir, "t", 2)
    with Java(classes, "Transactions", weir.bootstrap) as j:
        j.ok("open a one 60000", "init a")
        first = describe(weir, "one")
        assert first["TransactionState"] == "Empty" and first["ProducerEpoch"] == "0"
        j.ok("begin a", "send a t 0 zero", "send a t 1 one", "offset a g t 0 7", "commit a")
        assert sorted(read(weir, "t", partitions=2)) == ["one", "zero"]
        assert committed_offset(weir, "g", "t") == 7
        after = describe(weir, "one")  # every end raises the epoch
        assert after["TransactionState"] == "CompleteCommit" and after["ProducerEpoch"] == "1"
        assert after["ProducerId"] == first["ProducerId"]
        j.ok("begin a", "send a t 0 gone", "offset a g t 0 8", "abort a")
        j.ok("begin a", "abort a")  # nothing in it
        j.ok("begin a", "commit a")
        j.ok("begin a", "send a t 0 last", "commit a")
        assert read(weir, "t") == ["zero", "last"]
        assert committed_offset(weir, "g", "t") == 7
        j.ok("begin a", "send a t 1 open", "offset a g t 1 3")
        now = describe(weir, "one")
        assert now["TransactionState"] == "Ongoing" and now["TopicPartitions"] == "t-1"
        # a second producer of that id ends the open transaction and shuts the first out
        j.ok("open b one 60000", "init b", "begin b", "send b t 1 b", "commit b")
        assert j.tell("send a t 1 late")[0] in ("ProducerFencedException", "InvalidProducerEpochException")
        assert read(weir, "t", partitions=2).count("open") == 0
        listed = table(java(weir, TOOL, "list").stdout)
        assert [(row["TransactionalId"], row["TransactionState"]) for row in listed] == [("one", "CompleteCommit")]
        with_pattern = java(weir, TOOL, "list", "--transactional-id-pattern", "o.e").stdout
        assert len(table(with_pattern)) == 1
        assert len(table(java(weir, TOOL, "list", "--transactional-id-pattern", "x.*").stdout)) == 0


def test_overtime_and_hanging(classes):
    with Weir("--set", "transaction.abort.timed.out.transaction.cleanup.interval.ms=200") as weir:
        make_topic(weir, "t")
        with Java(classes, "Transactions", weir.bootstrap) as j:
            j.ok("open a slow 1500", "init a", "begin a", "send a t 0 lost")
            wait_until(lambda: describe(weir, "slow")["TransactionState"] == "CompleteAbort", 60)
            assert j.tell("commit a") == ["InvalidTxnStateException"]  # as Kafka 4.1 has it
            assert read(weir, "t") == []
            j.ok("open b slow 60000", "init b", "begin b", "send b t 0 kept")
            producers = table(java(weir, TOOL, "describe-producers", "--topic", "t", "--partition", "0").stdout)
            assert [row["CurrentTransactionStartOffset"] for row in producers] == ["2"]
            found = java(weir, TOOL, "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "0", check=False)
            assert "t" not in [row.get("Topic") for row in table(found.stdout) if row]
            # by force
            java(weir, TOOL, "abort", "--topic", "t", "--partition", "0", "--start-offset", "2")
            producers = table(java(weir, TOOL, "describe-producers", "--topic", "t", "--partition", "0").stdout)
            assert [row["CurrentTransactionStartOffset"] for row in producers] == ["None"]
            assert read(weir, "t") == []


def test_hanging_transaction_is_found_and_ended(classes):
    """One that no coordinator knows of (its database was lost): Kafka's tool finds it, and ends it."""
    with Weir() as weir:
        make_topic(weir, "t")
        with Java(classes, "Transactions", weir.bootstrap) as j:
            j.ok("open a one 1000", "init a", "begin a", "send a t 0 lost")
        weir.stop()
        db = sqlite3.connect(os.path.join(weir.dir, "data", "weir.db"))
        for name in ("txn", "txn_partition"):
            db.execute(f"DELETE FROM {name}")
        db.commit()
        db.close()
        weir.start()
        p = producer(weir.bootstrap)
        p.produce("t", "behind it")
        assert p.flush(10) == 0
        time.sleep(1.1)
        found = java(weir, TOOL, "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "0")
        assert [(row["Topic"], row["Partition"], row["StartOffset"]) for row in table(found.stdout)] == [("t", "0", "0")]
        java(weir, TOOL, "abort", "--topic", "t", "--partition", "0", "--start-offset", "0")
        assert read(weir, "t") == ["behind it"]


def test_no_lag_at_the_end(weir):
    """Behind the marker there is nothing left to read, and the group says so."""
    make_topic(weir, "t")
    p = transactional(weir, "one")
    for end in (p.commit_transaction, p.abort_transaction):
        p.begin_transaction()
        p.produce("t", "x")
        p.flush(10)
        end(20)
    java(weir, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", "t", "--group", "g", "--from-beginning",
         "--isolation-level", "read_committed", "--timeout-ms", "8000", check=False)
    out = java(weir, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--describe", "--group", "g").stdout
    row = [line.split() for line in out.splitlines() if line.startswith("g ")][0]
    assert row[3:6] == ["4", "4", "0"]


def test_performance_tool(weir):
    make_topic(weir, "t", 2)
    out = java(weir, "org.apache.kafka.tools.ProducerPerformance", "--topic", "t", "--num-records", "20000", "--record-size", "100",
               "--throughput", "-1", "--transactional-id", "perf", "--transaction-duration-ms", "50", "--command-property",
               f"bootstrap.servers={weir.bootstrap}", check=False)
    if out.returncode:
        out = run(["bash", STACK, "tool", "org.apache.kafka.tools.ProducerPerformance", "--topic", "t", "--num-records", "20000",
                   "--record-size", "100", "--throughput", "-1", "--transactional-id", "perf", "--transaction-duration-ms", "50",
                   "--producer-props", f"bootstrap.servers={weir.bootstrap}"], timeout=120)
    assert "20000 records sent" in out.stdout
    assert len(read(weir, "t", partitions=2)) == 20000
    assert "CONCURRENT" not in out.stdout + out.stderr


def counts(weir, partitions):
    """Every value of `counts` that is committed, by word."""
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "checker", "isolation.level": "read_committed",
                  "auto.offset.reset": "earliest", "enable.auto.commit": False, "enable.partition.eof": True})
    out, left = collections.defaultdict(list), set(range(partitions))
    c.assign([TopicPartition("counts", p, 0) for p in left])
    until = time.monotonic() + 30
    try:
        while left and time.monotonic() < until:
            m = c.poll(0.2)
            if m is None:
                continue
            if m.error():
                assert m.error().code() == KafkaError._PARTITION_EOF, m.error()
                left.discard(m.partition())
            else:
                out[m.key().decode()].append(int(m.value()))
    finally:
        c.close()
    return out


@pytest.mark.timeout(600)
def test_streams_count_right_across_kills(classes):
    words = ["alpha", "beta", "gamma", "delta", "epsilon"]
    expected = collections.Counter()
    with Weir() as weir, tempfile.TemporaryDirectory(prefix="weir-streams-") as state:
        AdminClient({"bootstrap.servers": weir.bootstrap})
        make_topic(weir, "lines", 2)
        make_topic(weir, "counts", 2)
        with Java(classes, "WordCount", weir.bootstrap, state) as j:
            for round in range(5):
                p = producer(weir.bootstrap, enable_idempotence=True)
                for _ in range(200):
                    line = [random.choice(words) for _ in range(5)]
                    expected.update(line)
                    p.produce("lines", " ".join(line), key=str(random.random()))
                assert p.flush(30) == 0
                time.sleep(random.uniform(0.3, 1.5))
                weir.kill()
                weir.start()
            wait_until(lambda: j.process.poll() is not None or
                       {w: max(n) for w, n in counts(weir, 2).items()} == dict(expected), 180, 1)
            assert j.process.poll() is None
            for word, values in counts(weir, 2).items():  # each update once, none left out
                assert values == list(range(1, expected[word] + 1)), word
