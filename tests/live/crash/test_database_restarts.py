"""The database restarts, cleanly or not, again and again during snapshot and streaming: the events are the table's."""
import os
import random
import time

import pytest

from changes import CREATE, Changes, arrive, check
from databases import database
from weirproc import Weir, wait_until

RESTARTS = max(10, int(os.environ.get("ROUNDS", "50")) // 5)
ROWS = 40000


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_the_database_restarts(tmp_path):
    with database("mariadb") as db, Weir() as w:
        db.sql(f"CREATE DATABASE up;\nUSE up;\n{CREATE.format('t')};\nINSERT INTO t SELECT seq, 1, REPEAT('x', 100) FROM seq_1_to_{ROWS}")

        def restart():
            db.kill() if random.random() < 0.5 else db.stop_local()
            time.sleep(random.uniform(0, 0.3))
            db.start_local()
        w.create_connector("up", db.connector("up", database_include_list="up", max_batch_size=256, max_queue_size=512,
                                              retriable_restart_connector_wait_ms=200))
        snapshots = 0
        for _ in range(3):  # in the snapshot, as long as it lasts
            if wait_until(lambda: w.log().count("Exporting data from table 'up.t'") > snapshots or "Connected to binlog" in w.log()) and "Connected to binlog" in w.log():
                break
            snapshots = w.log().count("Exporting data from table 'up.t'")
            restart()
        began = time.monotonic()
        # Many rounds with fewer changes each: in the end all events are read and compared in memory.
        with Changes(db, "up", pause=0.002 * max(1, RESTARTS / 10)) as writer:
            wait_until(lambda: "Connected to binlog" in w.log(), 120)
            for n in range(RESTARTS):
                before = writer.count
                if n and n % 50 == 0:
                    print(f"{n} restarts, {(time.monotonic() - began) / n:.1f} s each, {writer.count} changes", flush=True)
                restart()
                wait_until(lambda: writer.count > before + 20, 60)
        w.wait_running("up")
        found = arrive(w, "up.up.t", db, "up.t", 240)
        check(found)
        print(f"{RESTARTS} restarts while streaming, {snapshots} in the snapshot, {writer.count} changes, {len(found)} events")
