#!/usr/bin/env python3
"""capture_mongo.py BUILD-DIR [DOCUMENTS [ROUNDS]]: capture of a MongoDB collection against loops of the C driver that only read,
interleaved. Snapshot: documents a second until all are in the topic, against a find. Catch-up: the updates made while the connector
was stopped, against a change stream of the same events. Each with the peak memory of weir, and with the CPU that the server took for a
document or event beside both: it is steadier than rates where other programs run."""
import base64
import os
import statistics
import sys

import bson
from confluent_kafka import Consumer
from pymongo import UpdateOne

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from capture_common import forget_peak, high, peak_mb, rate, raw_reader, spread  # noqa: E402
from mongo import mongo  # noqa: E402
from weirproc import Weir, wait_until  # noqa: E402

build = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 200000
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
raw_number = raw_reader(os.path.join(build, "bench-raw_mongo"))


def used(pid):
    """CPU seconds."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Cpu:
    """Microseconds a document that the server took beside weir and beside the loops, and weir itself, by rounds."""

    def __init__(self, server, weir):
        self.server, self.weir, self.beside_raw, self.beside_weir, self.own = server, weir, [], [], []

    def raw(self, run, *arguments):
        before = used(self.server)
        result = run(*arguments)
        self.beside_raw.append((used(self.server) - before) / count * 1e6)
        return result

    def begin(self):
        self.before = used(self.server), used(self.weir)

    def end(self):
        self.beside_weir.append((used(self.server) - self.before[0]) / count * 1e6)
        self.own.append((used(self.weir) - self.before[1]) / count * 1e6)

    def __str__(self):
        beside_weir, beside_raw, own = (statistics.median(x) for x in (self.beside_weir, self.beside_raw, self.own))
        return f"CPU of the server {beside_weir:.1f} us beside weir, {beside_raw:.1f} beside raw, of weir {own:.1f}"


def result(name, rates, peers, peak, cpu):
    spread(name, [a / b for a, b in zip(rates, peers)],
           f"weir {statistics.median(rates):,.0f} a second, raw {statistics.median(peers):,.0f}; peak {peak:.0f} MB of the whole process; {cpu}")


def snapshots(db, w, consumer):
    rates, peers, cpu = [], [], Cpu(db.pid(), w.process.pid)
    forget_peak(w.process.pid)
    for n in range(rounds):
        peers.append(cpu.raw(raw_number, db.uri(), "find", "bench", "orders"))
        cpu.begin()
        w.create_connector(f"s{n}", db.connector(f"s{n}", database_include_list="bench"))
        rates.append(rate(consumer, f"s{n}.bench.orders", 0, count))
        cpu.end()
        w.rest("PUT", f"/connectors/s{n}/stop")
    result("mongodb-snapshot", rates, peers, peak_mb(w.process.pid), cpu)


def stopped(w, name):
    w.rest("PUT", f"/connectors/{name}/stop")
    wait_until(lambda: not w.rest("GET", f"/connectors/{name}/status")[1]["tasks"])
    token = w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"]["resume_token"]
    return bson.decode(base64.b64decode(token))["_data"]


def catch_up(db, client, w, consumer, name, plain):
    rates, peers, cpu = [], [], Cpu(db.pid(), w.process.pid)
    topic = f"{name}.bench.orders"
    w.create_connector(name, db.connector(name, database_include_list="bench", snapshot_mode="no_data",
                                          **({"capture_mode": "change_streams"} if plain else {})))
    wait_until(lambda: w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"])
    forget_peak(w.process.pid)
    for n in range(rounds):
        data, before = stopped(w, name), high(consumer, topic)
        for k in range(0, count, 10000):
            client.bench.orders.bulk_write([UpdateOne({"_id": i}, {"$inc": {"qty": 1}}) for i in range(k, k + 10000)], ordered=False)
        peers.append(cpu.raw(raw_number, db.uri(), "watch", data, count, *(["plain"] if plain else [])))
        cpu.begin()
        w.rest("PUT", f"/connectors/{name}/resume")
        rates.append(rate(consumer, topic, before, count))
        cpu.end()
    result("mongodb-catch-up" + ("" if plain else "-lookup"), rates, peers, peak_mb(w.process.pid), cpu)


with mongo() as db, db.client() as client, Weir("--log-level", "warn") as w:
    for k in range(0, count, 10000):
        client.bench.orders.insert_many([{"_id": i, "customer": f"customer number {i}", "qty": i % 100, "price": i / 7, "paid": i % 2 == 0,
                                          "tags": ["a", "b"], "ship": {"city": "Bonn", "zip": 53111}} for i in range(k, k + 10000)])
    consumer = Consumer({"bootstrap.servers": w.bootstrap, "group.id": "bench", "topic.metadata.refresh.interval.ms": 200})
    snapshots(db, w, consumer)
    catch_up(db, client, w, consumer, "p", True)
    catch_up(db, client, w, consumer, "l", False)
    consumer.close()
