#!/usr/bin/env python3
"""capture.py BUILD-DIR [ROWS [ROUNDS]]: capture of a MariaDB table against a loop in C that only reads, interleaved.

Snapshot: rows a second until all are in the topic, against `SELECT *` by mysql_use_result. Catch-up: the changes made while the
connector was paused, against a dump of the same binary log that looks at nothing. Schemas off."""
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from databases import database  # noqa: E402
from weirproc import Weir  # noqa: E402

from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient  # noqa: E402

build = sys.argv[1]
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1000000
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
raw = os.path.join(build, "bench-raw_mysql")


def raw_number(*arguments):
    return float(subprocess.run([raw, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.split()[0])


def log_bytes(w, topic):
    directory = os.path.join(w.dir, "data", "kafka-logs", topic + "-0")
    return sum(os.path.getsize(os.path.join(directory, f)) for f in os.listdir(directory) if f.endswith(".log"))


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def high(consumer, topic):
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5, cached=False)[1]
    except KafkaException:
        return 0


def until(consumer, topic, count, limit=300):
    """The time at which the topic has `count` records, seen by its high watermark."""
    end = time.monotonic() + limit
    while high(consumer, topic) < count:
        if time.monotonic() > end:
            sys.exit(f"{topic} has {high(consumer, topic)} of {count} records after {limit} s")
        time.sleep(0.005)
    return time.monotonic()


def spread(name, ratios, note):
    print(f"RESULT {name} weir/raw median {statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f}); {note}", flush=True)


with database("mariadb", ["--innodb-buffer-pool-size=1G", "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"]) as db:
    db.sql("CREATE DATABASE bench;\nCREATE TABLE bench.t (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(10,2), made DATETIME, flag TINYINT);\n"
           f"INSERT INTO bench.t SELECT seq, CONCAT('customer ', seq), seq / 7, '2024-01-01' + INTERVAL seq SECOND, seq % 2 FROM bench.seq_1_to_{rows}")
    with Weir() as w:
        consumer = Consumer({"bootstrap.servers": w.bootstrap, "group.id": "bench", "allow.auto.create.topics": False,
                             "topic.metadata.refresh.interval.ms": 100})  # or a new topic stays unknown for minutes
        ratios, rates, used = [], [], []
        for n in range(rounds):
            peer = raw_number(db.port, "select", "bench.t")
            prefix, before = f"s{n}", cpu(w.process.pid)
            start = time.monotonic()
            w.create_connector(prefix, db.connector(prefix, database_include_list="bench", database_server_id=5000 + n))
            end = until(consumer, f"{prefix}.bench.t", rows)
            rate = rows / (end - start)
            used.append((cpu(w.process.pid) - before) / rows * 1e6)
            ratios.append(rate / peer)
            rates.append(rate)
            print(f"snapshot round {n + 1}: weir {rate:,.0f} rows/s, raw {peer:,.0f} rows/s, ratio {rate / peer:.2f}", flush=True)
            if n + 1 < rounds:
                w.rest("DELETE", f"/connectors/{prefix}")
                admin = AdminClient({"bootstrap.servers": w.bootstrap})
                admin.delete_topics([f"{prefix}.bench.t"])[f"{prefix}.bench.t"].result()
                time.sleep(1)  # its memory goes back: the next round gets pages that were used before
        spread("snapshot", ratios, f"weir {statistics.median(rates):,.0f} rows/s, {statistics.median(used):.2f} us CPU a row")

        ratios, rates, used, to_cells, floor = [], [], [], [], []
        name = f"s{rounds - 1}"
        topic = f"{name}.bench.t"
        per = 100
        for n in range(rounds):
            w.rest("PUT", f"/connectors/{name}/stop")
            before_rows, before_bytes = high(consumer, topic), log_bytes(w, topic)
            file, position = db.sql("SHOW MASTER STATUS")[0][:2]
            client = db.client("bench")
            with client.cursor() as c:
                for k in range(0, rows, rows // per):
                    c.execute("UPDATE t SET amount = amount + 1 WHERE id > %s AND id <= %s", (k, k + rows // per))
            client.close()
            seconds = raw_number(db.port, "binlog", file, position, per)
            cells = rows / raw_number(db.port, "cells", file, position, per)
            before = cpu(w.process.pid)
            w.rest("PUT", f"/connectors/{name}/resume")
            first = until(consumer, topic, before_rows + 1)
            count = high(consumer, topic)
            rate = (before_rows + rows - count) / (until(consumer, topic, before_rows + rows) - first)
            used.append((cpu(w.process.pid) - before) / rows * 1e6)
            peer = rows / seconds
            ratios.append(rate / peer)
            rates.append(rate)
            to_cells.append(rate / cells)
            written = log_bytes(w, topic) - before_bytes
            floor.append(rate / (rows / raw_number(db.port, "write", os.path.join(w.dir, "plain"), written)))
            print(f"catch-up round {n + 1}: weir {rate:,.0f} events/s ({written / rows:.0f} bytes each), raw {peer:,.0f} events/s, "
                  f"ratio {rate / peer:.3f}; raw that looks at the cells {cells:,.0f}, ratio {rate / cells:.3f}; "
                  f"a plain write of the same bytes: ratio {floor[-1]:.2f}", flush=True)
        spread("catch-up-cells", to_cells, "the peer looks at each cell, as that of the snapshot does")
        spread("catch-up", ratios, f"weir {statistics.median(rates):,.0f} events/s, {statistics.median(used):.2f} us CPU an event")
