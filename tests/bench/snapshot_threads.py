#!/usr/bin/env python3
"""snapshot_threads.py [ROWS [ROUNDS]]: a snapshot of four MariaDB tables with 1, 2 and 4 sessions (snapshot.max.threads), taking turns.
The peer is one session; schemas off."""
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from databases import database  # noqa: E402
from weirproc import Weir, wait_until  # noqa: E402

from confluent_kafka.admin import AdminClient  # noqa: E402

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 250000
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
tables = ["a", "b", "c", "d"]
threads = [1, 2, 4]
with database("mariadb", ["--innodb-buffer-pool-size=512M"]) as db, Weir("--log-level", "info") as w:
    db.sql("CREATE DATABASE bench")
    for t in tables:
        db.sql(f"CREATE TABLE bench.{t} (id INT PRIMARY KEY, name VARCHAR(60), amount DECIMAL(12,2), at DATETIME, note VARCHAR(200));\n"
               f"USE bench;\nINSERT INTO bench.{t} SELECT seq, CONCAT('name of ', seq), seq / 7, '2024-05-06 07:08:09', REPEAT('x', 100) FROM seq_1_to_{rows}")
    rates = {n: [] for n in threads}
    for k in range(rounds):
        for n in threads:
            prefix = f"p{k}x{n}"
            mark = len(w.log())
            w.create_connector(prefix, db.connector(prefix, database_include_list="bench", database_server_id=6000 + 10 * k + n, snapshot_max_threads=n))
            wait_until(lambda: "Snapshot completed" in w.log()[mark:], 300, interval=0.01)
            lines = w.log()[mark:].splitlines()
            def at(text):
                line = next(x for x in lines if text in x)
                return time.mktime(time.strptime(line[:19], "%Y-%m-%dT%H:%M:%S")) + float(line[19:23])
            took = at("Snapshot completed") - at("Snapshot step 7")
            rates[n].append(len(tables) * rows / took)
            print(f"round {k + 1}, {n} sessions: {rates[n][-1]:,.0f} rows/s", flush=True)
            w.rest("DELETE", f"/connectors/{prefix}")
            admin = AdminClient({"bootstrap.servers": w.bootstrap})
            for f in admin.delete_topics([f"{prefix}.bench.{t}" for t in tables]).values():
                f.result()
            time.sleep(1)
    for n in threads[1:]:
        ratios = [a / b for a, b in zip(rates[n], rates[1])]
        print(f"RESULT snapshot-{n}-sessions weir/one-session median {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f}); "
              f"{statistics.median(rates[n]):,.0f} rows/s against {statistics.median(rates[1]):,.0f}")
