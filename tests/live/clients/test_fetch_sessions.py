"""Incremental fetches as the Java consumer uses them: a session is made, goes on, and ends with its client."""
import os
import re
import signal
import subprocess

from clienttools import missing, restart
from test_java import STACK, java
from weirproc import wait_until


def sessions(weir):
    _, text = weir.rest("GET", "/metrics", base=weir.web)
    return int(re.search(r"^weir_fetch_sessions (\d+)$", text, re.M).group(1))


def produce(weir, *lines):
    java(weir, "org.apache.kafka.tools.ConsoleProducer", "--topic", "wide", "--property", "parse.key=true", "--property",
         "key.separator=:", stdin="".join(f"{line}\n" for line in lines))


def test_java_consumer_of_many_partitions(weir):
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")
    java(weir, "org.apache.kafka.tools.TopicCommand", "--create", "--topic", "wide", "--partitions", "30")
    produce(weir, *[f"{i}:first {i}" for i in range(60)])
    consumer = subprocess.Popen(
        ["bash", STACK, "tool", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", weir.bootstrap, "--topic",
         "wide", "--from-beginning"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        first = sorted(consumer.stdout.readline().strip() for _ in range(60))
        assert first == sorted(f"first {i}" for i in range(60))
        assert sessions(weir) == 1
        produce(weir, *[f"{i}:second {i}" for i in range(60)])
        assert sorted(consumer.stdout.readline().strip() for _ in range(60)) == sorted(f"second {i}" for i in range(60))
        assert sessions(weir) == 1
        restart(weir)  # the session is not known any more: the client begins another one
        produce(weir, "7:last")
        while consumer.stdout.readline().strip() != "last":
            pass  # what was not committed yet comes again
        assert sessions(weir) == 1
        os.killpg(consumer.pid, signal.SIGTERM)
        wait_until(lambda: sessions(weir) == 0)  # closed by the client
    finally:
        os.killpg(consumer.pid, signal.SIGKILL)
        consumer.wait()
