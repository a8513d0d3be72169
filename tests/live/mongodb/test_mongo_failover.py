"""A set of three: elections and lost primaries while streaming and in the snapshot lose nothing and tell nothing twice."""
import signal
import time

import pymongo
import pytest

from mongo import mongo
from mongo_changes import MongoChanges, arrive, check
from weirproc import Weir, wait_until


def step_down(db):
    with pymongo.MongoClient("127.0.0.1", db.port + db.wait_primary(), directConnection=True) as c:
        try:
            c.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=5)
        except pymongo.errors.PyMongoError:
            pass  # the connection may be closed


def other_primary(db, was):
    return wait_until(lambda: (lambda p: p is not None and p != was)(db.primary()), 90)


def quicker_elections(c):
    config = c.admin.command("replSetGetConfig")["config"]
    config["settings"]["electionTimeoutMillis"] = 2000
    config["version"] += 1
    c.admin.command("replSetReconfig", config)


@pytest.mark.timeout(36000)
@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.torture)])
def test_elections_and_lost_primaries(rounds):
    with mongo("mongodb3") as db, Weir() as w:
        with db.client(w="majority") as c:
            quicker_elections(c)
            c.up.t.insert_many([{"_id": i, "v": 1} for i in range(1, 1001)])
        w.create_connector("up", db.connector("up", database_include_list="up", capture_mode="change_streams",
                                              retriable_restart_connector_wait_ms=500))
        with MongoChanges(db, "up") as writer:
            wait_until(lambda: "Reading change stream" in w.log(), 60)

            def more(n=50):
                before = writer.count
                wait_until(lambda: writer.count > before + n, 90)
            more()
            for _ in range(rounds):
                step_down(db)
                more()
            for _ in range(rounds):
                was = db.wait_primary()
                db.kill(was)
                other_primary(db, was)
                more()
                db.start_member(was)
                time.sleep(1)
            was = db.wait_primary()  # orderly
            db.kill(was, signal.SIGTERM)
            other_primary(db, was)
            more()
            db.start_member(was)
        w.wait_running("up")
        found = arrive(w, "up.up.t", db, "up", timeout=180)
        check(found)
        log = w.log()
        assert "the change stream was lost; it is opened again where it was" in log
        assert log.count("the change stream was lost") < 10 * (rounds + 1), "the log is flooded"
