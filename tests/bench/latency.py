#!/usr/bin/env python3
"""latency.py [COMMITS [ROUNDS]]: from COMMIT to a consumer, in milliseconds.

A client commits one row every few milliseconds; a consumer notes when its event arrives. Counted from the moment at which the
client has the database's answer. The peer of the same round is a record sent by librdkafka to the same broker, from produce() to
the same consumer: what a client can see of any record."""
import os
import statistics
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from databases import database  # noqa: E402
from weirproc import Weir  # noqa: E402

from confluent_kafka import Consumer, Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

commits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
PAUSE = 0.004


class Arrivals(threading.Thread):
    """Notes the time of each record of a topic, in order."""

    def __init__(self, bootstrap, topic, count):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"latency-{topic}-{time.time()}", "auto.offset.reset": "latest",
                                  "topic.metadata.refresh.interval.ms": 100})
        self.ready, self.count, self.times = threading.Event(), count, []
        self.consumer.subscribe([topic], on_assign=lambda c, p: self.ready.set())

    def run(self):
        while len(self.times) < self.count:
            message = self.consumer.poll(0.5)
            if message is not None and not message.error():
                self.times.append(time.monotonic())
        self.consumer.close()


def delays(arrivals, send, pause=PAUSE):
    arrivals.start()
    assert arrivals.ready.wait(30)
    time.sleep(0.5)
    sent = []
    for i in range(commits):
        sent.append(send(i))
        time.sleep(pause)
    arrivals.join(60)
    assert len(arrivals.times) == commits, f"{len(arrivals.times)} of {commits} arrived"
    return sorted((b - a) * 1000 for a, b in zip(sent, arrivals.times))


def quantile(values, q):
    return values[min(len(values) - 1, int(len(values) * q))]


with database("mariadb", []) as db, Weir() as w:
    db.sql("CREATE DATABASE bench;\nCREATE TABLE bench.l (id INT PRIMARY KEY, v INT)")
    w.create_connector("l", db.connector("l", database_include_list="bench"))
    w.wait_running("l")
    client = db.client("bench")
    producer = Producer({"bootstrap.servers": w.bootstrap, "linger.ms": 0})
    admin = AdminClient({"bootstrap.servers": w.bootstrap})
    admin.create_topics([NewTopic("peer", 1, 1)])["peer"].result()
    cursor, made = client.cursor(), 0
    cursor.execute("INSERT INTO l VALUES (-1, 0)")  # makes the topic
    time.sleep(1)

    def commit(i):
        global made
        made += 1
        cursor.execute("INSERT INTO l VALUES (%s, %s)", (made, i))
        return time.monotonic()

    def produce(i):
        now = time.monotonic()
        producer.produce("peer", value=b"x" * 500)
        producer.poll(0)
        return now

    medians, tails, peers = [], [], []
    for n in range(rounds):
        ours = delays(Arrivals(w.bootstrap, "l.bench.l", commits), commit)
        theirs = delays(Arrivals(w.bootstrap, "peer", commits), produce)
        medians.append(quantile(ours, 0.5))
        tails.append(quantile(ours, 0.99))
        peers.append(quantile(theirs, 0.99))
        print(f"latency round {n + 1}: commit to consumer median {medians[-1]:.2f} ms, 99 % {tails[-1]:.2f} ms; "
              f"produce to consumer median {quantile(theirs, 0.5):.2f} ms, 99 % {peers[-1]:.2f} ms", flush=True)
    ratios = [a / b for a, b in zip(tails, peers)]
    print(f"RESULT latency commit to consumer, 99 %: median {statistics.median(tails):.2f} ms (min {min(tails):.2f}, max {max(tails):.2f}); "
          f"weir/produce median {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})", flush=True)
    client.close()
