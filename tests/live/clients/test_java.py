"""Kafka's own command line tools (Java clients of 4.1) against weir."""
import os

import pytest
from clienttools import missing, restart, run

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "..", "..", "..", "shared", "oracle", "stack.sh")


def java(weir, name, *arguments, stdin=None, check=True):
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")
    return run(["bash", STACK, "tool", name, "--bootstrap-server", weir.bootstrap, *arguments], stdin, timeout=120, check=check)


def topics(weir, *arguments, **options):
    return java(weir, "org.apache.kafka.tools.TopicCommand", *arguments, **options)


def produce(weir, lines, *arguments):
    return java(weir, "org.apache.kafka.tools.ConsoleProducer", "--topic", "t", *arguments, stdin="".join(f"{s}\n" for s in lines))


def consume(weir, count, *arguments):
    done = java(weir, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", "t", "--max-messages", str(count),
                "--timeout-ms", "30000", *arguments)
    return done.stdout.splitlines()


def test_topics(weir):
    assert topics(weir, "--create", "--topic", "t", "--partitions", "3", "--replication-factor", "3").stdout == "Created topic t.\n"
    again = topics(weir, "--create", "--topic", "t", check=False)
    assert again.returncode == 1 and "Topic 't' already exists." in again.stdout + again.stderr
    assert topics(weir, "--list").stdout == "t\n"
    out = topics(weir, "--describe", "--topic", "t").stdout
    assert "PartitionCount: 3\tReplicationFactor: 1" in out
    assert "Leader: 1\tReplicas: 1\tIsr: 1" in out
    topics(weir, "--alter", "--topic", "t", "--partitions", "4")
    assert "PartitionCount: 4" in topics(weir, "--describe", "--topic", "t").stdout
    topics(weir, "--delete", "--topic", "t")
    assert topics(weir, "--list").stdout.strip() == ""


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_codecs(weir, codec):
    lines = [f"line {i} " * 20 for i in range(50)]
    produce(weir, lines, "--compression-codec", codec)
    assert consume(weir, 50, "--from-beginning") == lines


def test_group_goes_on_after_a_restart(weir):
    produce(weir, ["1", "2", "3"])
    assert consume(weir, 3, "--group", "g", "--from-beginning") == ["1", "2", "3"]
    restart(weir)
    produce(weir, ["4", "5"])
    assert consume(weir, 2, "--group", "g") == ["4", "5"]
    out = java(weir, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--describe", "--group", "g")
    row = [line.split() for line in out.stdout.splitlines() if line.startswith("g ")][0]
    assert row[:6] == ["g", "t", "0", "5", "5", "0"]


def test_group_reset_and_delete(weir):
    group = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
    produce(weir, ["1", "2", "3"])
    assert consume(weir, 3, "--group", "g", "--from-beginning") == ["1", "2", "3"]
    assert java(weir, group, "--list").stdout == "g\n"
    assert topics(weir, "--list").stdout == "__consumer_offsets\nt\n"
    assert topics(weir, "--list", "--exclude-internal").stdout == "t\n"
    java(weir, group, "--reset-offsets", "--group", "g", "--topic", "t", "--to-offset", "1", "--execute")
    assert consume(weir, 2, "--group", "g") == ["2", "3"]
    java(weir, group, "--delete-offsets", "--group", "g", "--topic", "t")
    java(weir, group, "--delete", "--group", "g")
    assert java(weir, group, "--list").stdout.strip() == ""


def test_configs(weir):
    topics(weir, "--create", "--topic", "t")
    java(weir, "kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", "t", "--add-config",
         "retention.ms=1234,cleanup.policy=[compact,delete]")
    out = java(weir, "kafka.admin.ConfigCommand", "--describe", "--entity-type", "topics", "--entity-name", "t").stdout
    assert "retention.ms=1234" in out and "cleanup.policy=compact,delete" in out
    out = java(weir, "kafka.admin.ConfigCommand", "--describe", "--entity-type", "brokers", "--entity-name", "1", "--all").stdout
    assert "node.id=1" in out


def test_offsets_and_delete_records(weir, tmp_path):
    produce(weir, ["1", "2", "3", "4"])
    get = "org.apache.kafka.tools.GetOffsetShell"
    assert java(weir, get, "--topic", "t").stdout == "t:0:4\n"
    plan = tmp_path / "plan.json"
    plan.write_text('{"partitions":[{"topic":"t","partition":0,"offset":2}],"version":1}')
    java(weir, "org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", str(plan))
    assert java(weir, get, "--topic", "t", "--time", "-2").stdout == "t:0:2\n"


def test_api_versions_and_cluster(weir):
    out = java(weir, "org.apache.kafka.tools.BrokerApiVersionsCommand").stdout
    assert "Produce(0): 0 to 13" in out and "Fetch(1): 0 to 18" in out
    assert "(id: 1 rack: null" in out
    out = java(weir, "org.apache.kafka.tools.LogDirsCommand", "--describe").stdout
    assert '"error":null' in out
