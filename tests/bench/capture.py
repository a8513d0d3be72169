#!/usr/bin/env python3
"""capture.py BUILD-DIR [ROWS [ROUNDS]]: capture of a MariaDB table against a loop in C that only reads, interleaved.

Snapshot: rows a second until all are in the topic, against `SELECT *` by mysql_use_result, with schemas and without. Catch-up: the
changes made while the connector was stopped, against a dump of the same binary log that looks at nothing; schemas off. Then the
peak memory of the catch-up, of rows of 16 and 100 MB, and of one transaction of 1 GB (TRANSACTION_MB) of small rows."""
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from capture_common import forget_peak, high, peak_mb, rate, raw_reader, spread, until  # noqa: E402
from databases import database  # noqa: E402
from weirproc import Weir  # noqa: E402

from confluent_kafka import Consumer  # noqa: E402
from confluent_kafka.admin import AdminClient  # noqa: E402

build = sys.argv[1]
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1000000
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
raw_number = raw_reader(os.path.join(build, "bench-raw_mysql"))


def log_bytes(w, topic):
    directory = os.path.join(w.dir, "data", "kafka-logs", topic + "-0")
    return sum(os.path.getsize(os.path.join(directory, f)) for f in os.listdir(directory) if f.endswith(".log"))


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def snapshots(db, w, consumer, schemas):
    """Rounds of a snapshot into a new topic; the last one of schemas=False stays for the catch-up. Returns its name."""
    ratios, rates, used, sizes = [], [], [], []
    for n in range(rounds):
        peer = raw_number(db.port, "select", "bench.t")
        prefix, before = f"{'d' if schemas else 's'}{n}", cpu(w.process.pid)
        start = time.monotonic()
        w.create_connector(prefix, db.connector(prefix, database_include_list="bench", database_server_id=5000 + n + 100 * schemas,
                                                key_converter_schemas_enable=str(schemas).lower(),
                                                value_converter_schemas_enable=str(schemas).lower()))
        found = rows / (until(consumer, f"{prefix}.bench.t", rows) - start)
        used.append((cpu(w.process.pid) - before) / rows * 1e6)
        ratios.append(found / peer)
        rates.append(found)
        sizes.append(log_bytes(w, f"{prefix}.bench.t") / rows)
        print(f"snapshot{' with schemas' if schemas else ''} round {n + 1}: weir {found:,.0f} rows/s ({sizes[-1]:.0f} bytes each), "
              f"raw {peer:,.0f} rows/s, ratio {found / peer:.2f}", flush=True)
        if schemas or n + 1 < rounds:
            w.rest("DELETE", f"/connectors/{prefix}")
            admin = AdminClient({"bootstrap.servers": w.bootstrap})
            admin.delete_topics([f"{prefix}.bench.t"])[f"{prefix}.bench.t"].result()
            time.sleep(1)  # its memory goes back: the next round gets pages that were used before
    spread("snapshot-schemas" if schemas else "snapshot", ratios,
           f"weir {statistics.median(rates):,.0f} rows/s of {statistics.median(sizes):.0f} bytes, {statistics.median(used):.2f} us CPU a row")
    return prefix


def catch_up(db, w, consumer, name):
    ratios, rates, used, to_cells, floor, peaks = [], [], [], [], [], []
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
        forget_peak(w.process.pid)
        w.rest("PUT", f"/connectors/{name}/resume")
        found = rate(consumer, topic, before_rows, rows)
        used.append((cpu(w.process.pid) - before) / rows * 1e6)
        peaks.append(peak_mb(w.process.pid))
        peer = rows / seconds
        ratios.append(found / peer)
        rates.append(found)
        to_cells.append(found / cells)
        written = log_bytes(w, topic) - before_bytes
        floor.append(found / (rows / raw_number(db.port, "write", os.path.join(w.dir, "plain"), written)))
        print(f"catch-up round {n + 1}: weir {found:,.0f} events/s ({written / rows:.0f} bytes each), raw {peer:,.0f} events/s, "
              f"ratio {found / peer:.3f}; raw that looks at the cells {cells:,.0f}, ratio {found / cells:.3f}; "
              f"a plain write of the same bytes: ratio {floor[-1]:.2f}", flush=True)
    spread("catch-up-cells", to_cells, "the peer looks at each cell, as that of the snapshot does")
    spread("catch-up", ratios, f"weir {statistics.median(rates):,.0f} events/s, {statistics.median(used):.2f} us CPU an event")
    print(f"RESULT catch-up-memory peak {max(peaks):.0f} MB of the whole process", flush=True)


def memory(name, w, idle, unit=None):
    peak = peak_mb(w.process.pid)
    times = "" if unit is None else f": {(peak - idle) / unit:.1f} times the row of {unit} MB"
    print(f"RESULT {name} peak {peak:.0f} MB of the whole process, before {idle:.0f} MB{times}", flush=True)


def large_rows(db, w, consumer, name):
    """Peak memory while large rows are inserted, updated and deleted."""
    client = db.client("bench")
    with client.cursor() as c:
        c.execute("CREATE TABLE big (id INT PRIMARY KEY, body LONGTEXT) CHARACTER SET utf8mb4")
        c.execute("INSERT INTO big VALUES (0, 'a')")
        until(consumer, f"{name}.bench.big", 1)
        count = 1
        for size in (16, 100):
            forget_peak(w.process.pid)
            idle = peak_mb(w.process.pid)
            c.execute("INSERT INTO big VALUES (%s, REPEAT('a', %s))", (size, size << 20))
            c.execute("UPDATE big SET body = REPEAT('b', %s) WHERE id = %s", (size << 20, size))
            c.execute("DELETE FROM big WHERE id = %s", (size,))
            count += 4
            until(consumer, f"{name}.bench.big", count)
            memory("large-row-memory", w, idle, size)
    client.close()


def large_transaction(db, w, consumer, name, megabytes):
    """Peak memory while one transaction of small rows passes."""
    client = db.client("bench")
    per, each = 1000, 1000
    total = (megabytes << 20) // each // per * per
    with client.cursor() as c:
        c.execute("CREATE TABLE many (id INT PRIMARY KEY AUTO_INCREMENT, body VARCHAR(1000) CHARACTER SET utf8mb4)")
        c.execute("START TRANSACTION")
        for _ in range(total // per):
            c.execute("INSERT INTO many (body) SELECT REPEAT('a', 960) FROM t LIMIT %s", (per,))
        forget_peak(w.process.pid)
        idle = peak_mb(w.process.pid)
        c.execute("COMMIT")
    client.close()
    until(consumer, f"{name}.bench.many", total)
    memory(f"large-transaction-memory {megabytes} MB", w, idle)


with database("mariadb", ["--innodb-buffer-pool-size=1G", "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--max-allowed-packet=1G",
                          "--innodb-log-file-size=512M"]) as db:
    db.sql("CREATE DATABASE bench;\nCREATE TABLE bench.t (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(10,2), made DATETIME, flag TINYINT);\n"
           f"INSERT INTO bench.t SELECT seq, CONCAT('customer ', seq), seq / 7, '2024-01-01' + INTERVAL seq SECOND, seq % 2 FROM bench.seq_1_to_{rows}")
    with Weir() as w:
        consumer = Consumer({"bootstrap.servers": w.bootstrap, "group.id": "bench", "allow.auto.create.topics": False,
                             "topic.metadata.refresh.interval.ms": 100})  # or a new topic stays unknown for minutes
        snapshots(db, w, consumer, True)
        name = snapshots(db, w, consumer, False)
        catch_up(db, w, consumer, name)
        large_rows(db, w, consumer, name)
        large_transaction(db, w, consumer, name, int(os.environ.get("TRANSACTION_MB", "1024")))
        consumer.close()
