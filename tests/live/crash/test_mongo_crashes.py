"""MongoDB: kill -9 of weir under capture load, and of the database again and again during snapshot and streaming: the events
are the collection's. A short form each, and a long one with tools/torture.sh (ROUNDS says how often)."""
import os
import random
import signal
import time

import pytest

from mongo import mongo
from mongo_changes import MongoChanges, arrive, check
from weirproc import Weir, wait_until

ROUNDS = int(os.environ.get("ROUNDS", "50"))
LENGTHS = ["short", pytest.param("long", marks=pytest.mark.torture)]
DOCUMENTS = 40000


@pytest.mark.timeout(36000)
@pytest.mark.parametrize("length", LENGTHS)
def test_weir_is_killed(length):
    rounds = 6 if length == "short" else max(20, ROUNDS * 2 // 5)
    with mongo() as db, Weir() as w:
        w.create_connector("k9", db.connector("k9", database_include_list="up", capture_mode="change_streams"))
        w.create_connector("l9", db.connector("l9", database_include_list="up"))  # looks documents up
        w.wait_running("k9")
        w.wait_running("l9")
        with MongoChanges(db, "up") as writer:
            for _ in range(rounds):
                time.sleep(random.uniform(0.02, 0.5))
                w.kill()
                w.start()
        w.wait_running("k9")
        w.wait_running("l9")
        found = arrive(w, "k9.up.t", db, "up")
        check(found)
        check(arrive(w, "l9.up.t", db, "up"))
        print(f"{rounds} rounds, {writer.count} changes, {len(found)} events")


@pytest.mark.timeout(36000)
@pytest.mark.parametrize("length", LENGTHS)
def test_the_database_restarts(length):
    restarts = 3 if length == "short" else max(10, ROUNDS // 5)
    with mongo() as db, Weir() as w:
        with db.client(w="majority") as c:
            c.up.t.insert_many([{"_id": i, "v": 1, "pad": "x" * 100} for i in range(1, DOCUMENTS + 1)])

        def restart():
            db.kill(how=random.choice([signal.SIGKILL, signal.SIGTERM]))
            time.sleep(random.uniform(0, 0.3))
            db.start_member()
            db.wait_primary()
        w.create_connector("up", db.connector("up", database_include_list="up", max_batch_size=256, max_queue_size=512, capture_mode="change_streams",
                                              retriable_restart_connector_wait_ms=200))
        snapshots = 0
        for _ in range(3):  # in the snapshot, as long as it lasts
            wait_until(lambda: w.log().count("Exporting data for collection 'up.t'") > snapshots or "Reading change stream" in w.log(), 60)
            if "Reading change stream" in w.log():
                break
            snapshots = w.log().count("Exporting data for collection 'up.t'")
            restart()
        with MongoChanges(db, "up") as writer:
            wait_until(lambda: "Reading change stream" in w.log(), 120)
            w.create_connector("lu", db.connector("lu", database_include_list="up", retriable_restart_connector_wait_ms=200))  # looks documents up
            wait_until(lambda: w.log().count("Snapshot completed") == 2, 120)
            for _ in range(restarts):
                before = writer.count
                restart()
                wait_until(lambda: writer.count > before + 20, 60)
        w.wait_running("up")
        w.wait_running("lu")
        found = arrive(w, "up.up.t", db, "up", timeout=240)
        check(found)
        check(arrive(w, "lu.up.t", db, "up", timeout=240))
        print(f"{restarts} restarts while streaming, {snapshots} in the snapshot, {writer.count} changes, {len(found)} events")
