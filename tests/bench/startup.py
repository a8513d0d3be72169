#!/usr/bin/env python3
"""startup.py [ROUNDS]: time from exec to ready (all three ports answer), and resident memory when idle, bare and with one
MariaDB connector streaming."""
import os
import re
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from databases import database  # noqa: E402
from kafka_io import events  # noqa: E402
from weirproc import Weir  # noqa: E402


def memory(pid):
    text = open(f"/proc/{pid}/smaps_rollup").read()
    return {k: int(re.search(rf"^{k}:\s+(\d+)", text, re.M)[1]) / 1024 for k in ("Rss", "Pss", "Pss_Anon")}


def ready_ms(w):
    return int(re.search(r"ready in (\d+) ms", open(os.path.join(w.dir, "weir.out")).read())[1])


rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
fresh, again = [], []
for _ in range(rounds):
    with Weir() as w:
        fresh.append(ready_ms(w))
        w.stop()
        w.start()
        again.append(ready_ms(w))
for name, v in (("new directory", fresh), ("existing directory", again)):
    print(f"RESULT ready {name}: median {statistics.median(v):.0f} ms (min {min(v)}, max {max(v)})")
with Weir() as w, database("mariadb") as db:
    time.sleep(2)
    m = memory(w.process.pid)
    print(f"RESULT idle memory bare: Rss {m['Rss']:.1f} MB (of which not shared with other programs: {m['Pss_Anon']:.1f} MB)")
    db.sql("CREATE DATABASE b;\nCREATE TABLE b.t (id INT PRIMARY KEY);\nINSERT INTO b.t VALUES (1)")
    w.create_connector("c", db.connector("c", database_include_list="b"))
    events(w.bootstrap, "c.b.t", 1)
    time.sleep(3)
    m = memory(w.process.pid)
    print(f"RESULT idle memory with one connector: Rss {m['Rss']:.1f} MB (of which not shared with other programs: {m['Pss_Anon']:.1f} MB)")
