"""Incremental snapshots and signals where capture.scope leaves the signal collection out, or where there is none: a second change
stream reads the signals, windows end by the server's time."""
import json
import time

import pytest

from kafka_io import events
from mongo import mongo
from mongo_changes import MongoChanges, fold, never_back
from test_mongo_failover import quicker_elections, step_down
from weirproc import Weir, wait_until


def document(name, *collections, kind="incremental", **data):
    return {"_id": name, "type": "execute-snapshot", "data": {"data-collections": list(collections), "type": kind, **data}}


def connector(db, prefix, scope, target, **extra):
    return db.connector(prefix, snapshot_mode="no_data", capture_scope=scope, capture_target=target, **extra)


def by_file(w, config, interval=100):
    path = w.dir + "/signals.txt"
    config.update({"signal.enabled.channels": "file", "signal.file": path, "signal.poll.interval.ms": str(interval)})

    def send(name, *collections, kind="incremental"):
        with open(path, "a") as f:
            f.write(json.dumps({"id": name, "type": "execute-snapshot", "data": {"data-collections": list(collections), "type": kind}}) + "\n")
    return send


def stored(w, name):
    """Where the second stream is, by the stored offset."""
    return wait_until(lambda: [x["offset"]["signal_stream_token"] for x in w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"]
                               if "signal_stream_token" in x["offset"]])


@pytest.mark.parametrize("case", ["collection", "same database", "database", "no signal collection"])
def test_beside_a_writer(client, db, case):
    """No read comes behind a newer change of its document, and in the end the topic has what the collection has. Nothing is written
    to the database."""
    client.s.t.insert_many([{"_id": i, "v": 1} for i in range(1, 3001)])
    signals = {"collection": "far.signals", "same database": "s.signals", "database": "far.signals"}.get(case)
    scope, target = ("database", "s") if case == "database" else ("collection", "s.t")
    with Weir() as w:
        config = connector(db, "i", scope, target, capture_mode="change_streams", incremental_snapshot_chunk_size=100)
        send = by_file(w, config) if not signals else None
        if signals:
            config["signal.data.collection"] = signals
        w.create_connector("i", config)
        wait_until(lambda: "Reading change stream" in w.log())
        with MongoChanges(db, "s") as writer:
            wait_until(lambda: writer.count > 50)
            if signals:
                client[signals.split(".")[0]].signals.insert_one(document("a", "s.t"))
            else:
                send("a", "s.t")
            wait_until(lambda: "Incremental snapshot of 's.t' ended after" in w.log(), 120)
        rows = {d["_id"]: d["v"] for d in client.s.t.find()}
        found = wait_until(lambda: (lambda f: f if fold(f) == rows else None)(events(w.bootstrap, "i.s.t", timeout=60)), 60, 0.5)
        never_back(found)
        if signals:
            assert client[signals.split(".")[0]].signals.count_documents({}) == 1


def test_on_a_quiet_server(client, db):
    """Windows do not wait for somebody to write something; what was the last event before is no obstacle."""
    client.s.t.insert_many([{"_id": i} for i in range(1, 501)])
    with Weir() as w:
        config = connector(db, "q", "collection", "s.t", incremental_snapshot_chunk_size=10)
        send = by_file(w, config)
        w.create_connector("q", config)
        wait_until(lambda: "Reading change stream" in w.log())
        client.s.t.insert_one({"_id": 501})
        events(w.bootstrap, "q.s.t", 1)
        send("a", "s.t")
        wait_until(lambda: "Incremental snapshot of 's.t' ended after 501 rows: SUCCEEDED" in w.log(), 60)
        assert len(events(w.bootstrap, "q.s.t", 502)) == 502


def test_signals_are_taken_once(client, db):
    """Also those that come while the connector is down, also when it is killed; a blocking snapshot and other signals too."""
    client.s.t.insert_many([{"_id": i} for i in range(1, 4)])
    with Weir() as w:
        w.create_connector("o", connector(db, "o", "collection", "s.t", signal_data_collection="far.signals"))
        wait_until(lambda: "a second change stream reads its signals" in w.log())
        stored(w, "o")
        client.far.signals.insert_one({"_id": "l1", "type": "log", "data": {"message": "said one"}})
        before = stored(w, "o")
        wait_until(lambda: stored(w, "o") != before)
        w.kill()
        client.far.signals.insert_one(document("i", "s.t"))
        client.far.signals.insert_one({"_id": "l2", "type": "log", "data": {"message": "said two"}})
        w.start()
        wait_until(lambda: "Incremental snapshot of 's.t' ended after 3 rows: SUCCEEDED" in w.log())
        client.far.signals.insert_one(document("b", "s.t", kind="blocking"))
        wait_until(lambda: "Snapshot completed: 3 documents" in w.log())
        assert len(events(w.bootstrap, "o.s.t", 6)) == 6
        time.sleep(1)
        for again in (w.kill, w.stop):
            again()
            before = len(w.log())
            w.start()
            wait_until(lambda: "a second change stream" in w.log()[before:])
            client.s.t.insert_one({})
        wait_until(lambda: len(events(w.bootstrap, "o.s.t", 8)) == 8)
        time.sleep(1.5)
        assert len(events(w.bootstrap, "o.s.t", 8)) == 8
        for text in ("said one", "said two", "Snapshot completed: 3 documents", "ended after 3 rows"):
            assert w.log().count(text) == 1
        client.drop_database("far")  # and what comes behind that
        client.far.signals.insert_one({"_id": "l3", "type": "log", "data": {"message": "said three"}})
        wait_until(lambda: "said three" in w.log())


def test_killed_in_between(client, db):
    """kill -9 again and again while chunks are read: the snapshot goes on where it was, and ends."""
    client.s.t.insert_many([{"_id": i, "v": 1} for i in range(1, 2001)])
    with Weir() as w:
        w.create_connector("k", connector(db, "k", "collection", "s.t", signal_data_collection="far.signals", incremental_snapshot_chunk_size=50))
        stored(w, "k")
        client.far.signals.insert_one(document("a", "s.t"))
        for _ in range(3):
            time.sleep(0.3)
            w.kill()
            w.start()
        wait_until(lambda: "Incremental snapshot of 's.t' ended after" in w.log(), 60)
        assert {k["id"] for k, _ in events(w.bootstrap, "k.s.t")} == {str(i) for i in range(1, 2001)}


def test_what_is_not_captured(client, db):
    """A snapshot of what the stream does not tell would grow old in the topic: refused, each with its reason."""
    client.s.t.insert_one({"_id": 1})
    client.s.u.insert_one({"_id": 1})
    client.far.t.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("n", connector(db, "n", "database", "s", collection_include_list="s[.][nt].*", signal_data_collection="far.signals",
                                          notification_enabled_channels="sink", notification_sink_topic_name="notes"))
        wait_until(lambda: "a second change stream" in w.log())
        client.far.signals.insert_one(document("a", "far.t", "s.u", "s.nope", "s.t"))
        wait_until(lambda: "Incremental snapshot of 's.t' ended after 1 rows: SUCCEEDED" in w.log())
        log = w.log()
        assert "'far.t' is outside of capture.scope" in log
        assert "'s.u' is not captured" in log
        assert "there is no collection 's.nope'" in log

        def ended():
            notes = [v["additional_data"] for _, v in events(w.bootstrap, "notes", timeout=60) if v["type"] == "TABLE_SCAN_COMPLETED"]
            return {v["scanned_collection"]: v["status"] for v in notes}
        wait_until(lambda: ended() == {"far.t": "UNKNOWN_SCHEMA", "s.u": "UNKNOWN_SCHEMA", "s.nope": "UNKNOWN_SCHEMA", "s.t": "SUCCEEDED"})


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("reads", ["primary", "secondaryPreferred"])
def test_elections_in_between(reads):
    """A set of three whose primary changes while chunks are read: no read comes behind a newer change, and all of them come."""
    with mongo("mongodb3") as three, Weir() as w:
        with three.client(w="majority") as c:
            quicker_elections(c)
            c.s.t.insert_many([{"_id": i, "v": 1} for i in range(1, 6001)])
        config = connector(three, "e", "collection", "s.t", capture_mode="change_streams", incremental_snapshot_chunk_size=20,
                           signal_data_collection="far.signals", retriable_restart_connector_wait_ms=500)
        config["mongodb.connection.string"] += f"&readPreference={reads}"
        w.create_connector("e", config)
        stored(w, "e")
        with MongoChanges(three, "s") as writer:
            wait_until(lambda: writer.count > 50, 60)
            with three.client(w="majority") as c:
                c.far.signals.insert_one(document("a", "s.t"))
            for _ in range(2):
                time.sleep(1)
                step_down(three)
            wait_until(lambda: "Incremental snapshot of 's.t' ended after" in w.log(), 200)
        with three.client(readConcernLevel="majority") as c:
            rows = {d["_id"]: d["v"] for d in c.s.t.find()}
        never_back(wait_until(lambda: (lambda f: f if fold(f) == rows else None)(events(w.bootstrap, "e.s.t", timeout=60)), 120, 0.5))
        assert "Incremental snapshot of 's.t' ended after" in w.log() and "given up" not in w.log() and "skipping" not in w.log()
