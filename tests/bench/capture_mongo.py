#!/usr/bin/env python3
"""capture_mongo.py BUILD-DIR [DOCUMENTS [ROUNDS]]: capture of a MongoDB collection against loops of the C driver that only read,
interleaved. Snapshot: documents a second until all are in the topic, against a find. Catch-up: the updates made while the connector
was stopped, against a change stream of the same events. Then the peak memory of both."""
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


def result(name, rates, peers, peak):
    spread(name, [a / b for a, b in zip(rates, peers)],
           f"weir {statistics.median(rates):,.0f} a second, raw {statistics.median(peers):,.0f}; peak {peak:.0f} MB of the whole process")


def snapshots(db, w, consumer):
    rates, peers = [], []
    forget_peak(w.process.pid)
    for n in range(rounds):
        peers.append(raw_number(db.uri(), "find", "bench", "orders"))
        w.create_connector(f"s{n}", db.connector(f"s{n}", database_include_list="bench"))
        rates.append(rate(consumer, f"s{n}.bench.orders", 0, count))
        w.rest("PUT", f"/connectors/s{n}/stop")
    result("mongodb-snapshot", rates, peers, peak_mb(w.process.pid))


def stopped(w, name):
    w.rest("PUT", f"/connectors/{name}/stop")
    wait_until(lambda: not w.rest("GET", f"/connectors/{name}/status")[1]["tasks"])
    token = w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"]["resume_token"]
    return bson.decode(base64.b64decode(token))["_data"]


def catch_up(db, client, w, consumer, name, plain):
    rates, peers = [], []
    topic = f"{name}.bench.orders"
    w.create_connector(name, db.connector(name, database_include_list="bench", snapshot_mode="no_data",
                                          **({"capture_mode": "change_streams"} if plain else {})))
    wait_until(lambda: w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"])
    forget_peak(w.process.pid)
    for n in range(rounds):
        data, before = stopped(w, name), high(consumer, topic)
        for k in range(0, count, 10000):
            client.bench.orders.bulk_write([UpdateOne({"_id": i}, {"$inc": {"qty": 1}}) for i in range(k, k + 10000)], ordered=False)
        peers.append(raw_number(db.uri(), "watch", data, count, *(["plain"] if plain else [])))
        w.rest("PUT", f"/connectors/{name}/resume")
        rates.append(rate(consumer, topic, before, count))
    result("mongodb-catch-up" + ("" if plain else "-lookup"), rates, peers, peak_mb(w.process.pid))


with mongo() as db, db.client() as client, Weir("--log-level", "warn") as w:
    for k in range(0, count, 10000):
        client.bench.orders.insert_many([{"_id": i, "customer": f"customer number {i}", "qty": i % 100, "price": i / 7, "paid": i % 2 == 0,
                                          "tags": ["a", "b"], "ship": {"city": "Bonn", "zip": 53111}} for i in range(k, k + 10000)])
    consumer = Consumer({"bootstrap.servers": w.bootstrap, "group.id": "bench", "topic.metadata.refresh.interval.ms": 200})
    snapshots(db, w, consumer)
    catch_up(db, client, w, consumer, "p", True)
    catch_up(db, client, w, consumer, "l", False)
    consumer.close()
