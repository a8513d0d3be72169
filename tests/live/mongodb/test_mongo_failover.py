"""A set of three: elections and lost primaries while streaming and in the snapshot lose nothing and tell nothing twice."""
import os
import shutil
import signal
import time

import pymongo
import pytest

from kafka_io import events
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


def replaced(db):
    """A new server in the place of the old: its set has the same name and members, and begins with an older election."""
    db.kill()
    shutil.rmtree(os.path.join(db.dir, "data"))
    os.mkdir(os.path.join(db.dir, "data"))
    db.start_member()
    with pymongo.MongoClient("127.0.0.1", db.port, directConnection=True) as c:
        c.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{db.port}"}]})
        wait_until(lambda: c.admin.command("hello")["isWritablePrimary"], 30)
        c.r.t.insert_one({"_id": "new"})


@pytest.mark.timeout(240)
def test_a_replaced_server():
    """What a client's driver knows of the old set makes it refuse the new one for good: the restart makes a new client."""
    with mongo() as db, Weir() as w:
        for _ in range(2):  # elections
            db.kill(how=signal.SIGTERM)
            db.start_member()
            db.wait_primary()
        with db.client(w="majority") as c:
            c.r.t.insert_one({"_id": "old"})
        brief = {"mongodb_server_selection_timeout_ms": 2000, "retriable_restart_connector_wait_ms": 1000, "database_include_list": "r"}
        w.create_connector("again", db.connector("again", snapshot_mode="when_needed", **brief))
        w.create_connector("fails", db.connector("fails", **brief))
        wait_until(lambda: w.log().count("Reading change stream") == 2, 60)
        replaced(db)
        ids = [v["after"] for _, v in events(w.bootstrap, "again.r.t", 2, timeout=60)]
        assert '"old"' in ids[0] and '"new"' in ids[1], ids

        def trace():
            task = w.rest("GET", "/connectors/fails/status")[1]["tasks"][0]
            return task.get("trace") if task["state"] == "FAILED" else None
        assert "no longer available on the server" in wait_until(trace, 60)
