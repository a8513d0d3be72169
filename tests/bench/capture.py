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

build = sys.argv[1]
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1000000
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
raw = os.path.join(build, "bench-raw_mysql")


def raw_number(*arguments):
    return float(subprocess.run([raw, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.split()[0])


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def high(consumer, topic):
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5, cached=False)[1]
    except KafkaException:
        return 0


def until(consumer, topic, count):
    """(seconds from the first to the last record, seen by watermark)"""
    start = first = None
    first_count = 0
    while True:
        n = high(consumer, topic)
        t = time.monotonic()
        if n > 0 and first is None:
            first, first_count = t, n
        if n >= count:
            return (count - first_count) / (t - first) if count > first_count else float("inf"), t
        time.sleep(0.005)


def spread(name, ratios, note):
    print(f"RESULT {name} weir/raw median {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f}); {note}", flush=True)


with database("mariadb", ["--innodb-buffer-pool-size=1G", "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"]) as db:
    db.sql("CREATE DATABASE bench;\nCREATE TABLE bench.t (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(10,2), made DATETIME, flag TINYINT);\n"
           f"INSERT INTO bench.t SELECT seq, CONCAT('customer ', seq), seq / 7, '2024-01-01' + INTERVAL seq SECOND, seq % 2 FROM seq_1_to_{rows}")
    with Weir() as w:
        consumer = Consumer({"bootstrap.servers": w.bootstrap, "group.id": "bench"})
        ratios, rates, used = [], [], []
        for n in range(rounds):
            peer = raw_number(db.port, "select", "bench.t")
            prefix, before = f"s{n}", cpu(w.process.pid)
            start = time.monotonic()
            w.create_connector(prefix, db.connector(prefix, database_include_list="bench", database_server_id=5000 + n))
            _, end = until(consumer, f"{prefix}.bench.t", rows)
            rate = rows / (end - start)
            used.append((cpu(w.process.pid) - before) / rows * 1e6)
            ratios.append(rate / peer)
            rates.append(rate)
            print(f"snapshot round {n + 1}: weir {rate:,.0f} rows/s, raw {peer:,.0f} rows/s, ratio {rate / peer:.2f}", flush=True)
            if n + 1 < rounds:
                w.rest("DELETE", f"/connectors/{prefix}")
        spread("snapshot", ratios, f"weir {statistics.median(rates):,.0f} rows/s, {statistics.median(used):.2f} us CPU a row")

        ratios, rates, used = [], [], []
        name = f"s{rounds - 1}"
        topic = f"{name}.bench.t"
        per = 100
        for n in range(rounds):
            w.rest("PUT", f"/connectors/{name}/stop")
            before_rows = high(consumer, topic)
            file, position = db.sql("SHOW MASTER STATUS")[0][:2]
            client = db.client("bench")
            with client.cursor() as c:
                for k in range(0, rows, rows // per):
                    c.execute("UPDATE t SET amount = amount + 1 WHERE id > %s AND id <= %s", (k, k + rows // per))
            client.close()
            seconds = raw_number(db.port, "binlog", file, position, per)
            before = cpu(w.process.pid)
            w.rest("PUT", f"/connectors/{name}/resume")
            rate, end = until(consumer, topic, before_rows + rows) if before_rows == 0 else (0, 0)
            if before_rows:
                while high(consumer, topic) <= before_rows:
                    time.sleep(0.002)
                first, count = time.monotonic(), high(consumer, topic)
                while high(consumer, topic) < before_rows + rows:
                    time.sleep(0.005)
                rate = (before_rows + rows - count) / (time.monotonic() - first)
            used.append((cpu(w.process.pid) - before) / rows * 1e6)
            peer = rows / seconds
            ratios.append(rate / peer)
            rates.append(rate)
            print(f"catch-up round {n + 1}: weir {rate:,.0f} events/s, raw {peer:,.0f} events/s, ratio {rate / peer:.2f}", flush=True)
        spread("catch-up", ratios, f"weir {statistics.median(rates):,.0f} events/s, {statistics.median(used):.2f} us CPU an event")
