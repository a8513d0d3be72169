"""Incremental and blocking snapshots of MongoDB collections: beside writers, over restarts, with keys of all types."""
import json
import os
import time

import pytest

from kafka_io import events
from mongo_changes import MongoChanges, fold, never_back
from weirproc import Weir, wait_until


def connector(db, prefix, **extra):
    return db.connector(prefix, snapshot_mode="no_data", signal_data_collection="s.signals", **extra)


def ask(client, name, *collections, kind="incremental", **data):
    client.s.signals.insert_one({"_id": name, "type": "execute-snapshot", "data": {"data-collections": list(collections), "type": kind, **data}})


def state(found):
    """What a consumer has: each key's newest document."""
    out = {}
    for key, value in found:
        if value and value["op"] == "d":
            out.pop(key["id"], None)
        elif value:
            out[key["id"]] = json.loads(value["after"])
    return out


@pytest.mark.parametrize("strategy", ["insert_insert", "insert_delete"])
def test_beside_a_writer(client, db, strategy):
    """No read comes behind a newer change of its document, and in the end the topic has what the collection has."""
    client.s.t.insert_many([{"_id": i, "v": 1} for i in range(1, 3001)])
    with Weir() as w:
        w.create_connector("i", connector(db, "i", database_include_list="s", capture_mode="change_streams", incremental_snapshot_chunk_size=100,
                                          incremental_snapshot_watermarking_strategy=strategy))
        wait_until(lambda: "Reading change stream" in w.log())
        with MongoChanges(db, "s") as writer:
            wait_until(lambda: writer.count > 50)
            ask(client, "a", "s.t")
            wait_until(lambda: "Incremental snapshot of 's.t' ended after" in w.log(), 120)
        rows = {d["_id"]: d["v"] for d in client.s.t.find()}
        found = wait_until(lambda: (lambda f: f if fold(f) == rows else None)(events(w.bootstrap, "i.s.t", timeout=60)), 60, 0.5)
        never_back(found)


def test_keys_of_all_types(client, db):
    """A collection whose keys are of several types is read to its end: numbers, texts, dates, documents, in one order."""
    import bson
    keys = [1, 2.5, bson.Int64(3), "a", "b", {"x": 1}, {"x": 2}, bson.ObjectId(), bson.Binary(b"12", 0), True, None,
            bson.datetime.datetime(2020, 1, 1), bson.Timestamp(5, 6), bson.Decimal128("7.5")]
    client.s.mixed.insert_many([{"_id": k} for k in keys])
    with Weir() as w:
        w.create_connector("k", connector(db, "k", database_include_list="s", incremental_snapshot_chunk_size=2))
        wait_until(lambda: "Reading change stream" in w.log())
        ask(client, "a", "s.mixed")
        found = events(w.bootstrap, "k.s.mixed", len(keys))
        assert len({k["id"] for k, _ in found}) == len(found) == len(keys)
        wait_until(lambda: f"Incremental snapshot of 's.mixed' ended after {len(keys)} rows: SUCCEEDED" in w.log())


def test_killed_in_between(client, db):
    """kill -9 again and again while chunks are read: the snapshot goes on where it was, and ends."""
    client.s.t.insert_many([{"_id": i, "v": 1} for i in range(1, 2001)])
    with Weir() as w:
        w.create_connector("k", connector(db, "k", database_include_list="s", incremental_snapshot_chunk_size=50))
        wait_until(lambda: "Reading change stream" in w.log())
        ask(client, "a", "s.t", **{"additional-conditions": [{"data-collection": "s.t", "filter": "{_id: {$gt: 1000}}"}]})
        for _ in range(3):
            time.sleep(0.3)
            w.kill()
            w.start()
        wait_until(lambda: "Incremental snapshot of 's.t' ended after" in w.log(), 60)
        found = state(events(w.bootstrap, "k.s.t"))
        assert len(found) == 1000 and all(d["_id"] > 1000 for d in found.values())


def test_blocking_survives_a_crash(client, db):
    client.s.t.insert_many([{"_id": i, "pad": "x" * 300} for i in range(1, 60001)])
    with Weir() as w:
        w.create_connector("b", connector(db, "b", database_include_list="s", max_batch_size=64))
        wait_until(lambda: "Reading change stream" in w.log())
        ask(client, "a", "s.t", kind="blocking")
        wait_until(lambda: "made topic b.s.t" in w.log(), interval=0.005)
        w.kill()
        before = len(w.log())
        client.s.t.insert_one({"_id": 60001})
        w.start()
        wait_until(lambda: "Snapshot completed: 6000" in w.log()[before:], 60)
        wait_until(lambda: len(state(events(w.bootstrap, "b.s.t", timeout=60))) == 60001, 60)
        assert "A blocking snapshot was cut off" in w.log()[before:]
        w.stop()
        w.start()
        wait_until(lambda: w.log().count("Valid resume token present") >= 2)
        assert w.log()[before:].count("Snapshot completed") == 1


def test_names_that_are_none_are_told(client, db):
    """Also among others that are: one is not there, one is not captured."""
    client.s.t.insert_one({"_id": 1})
    client.s.ex.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("u", connector(db, "u", collection_exclude_list="s.ex"))
        wait_until(lambda: "Reading change stream" in w.log())
        for kind in ("incremental", "blocking"):
            ask(client, kind, "s.t", "s.none", "s.ex", kind=kind)
            line = f"WARN  cdc.mongo signal '{kind}': no captured collection matches 's.none', 's.ex'; names have the form database.collection"
            wait_until(lambda: line in w.log())
        assert [v["op"] for _, v in events(w.bootstrap, "u.s.t", 2)] == ["r", "r"]


def test_file_signals_one_after_the_other(client, db):
    """Each is taken once an offset knows of the one before, and the copy goes away."""
    client.u.t.insert_one({"_id": 1})
    with Weir() as w:
        path = w.dir + "/signals.txt"
        w.create_connector("u", db.connector("u", snapshot_mode="no_data", database_include_list="u", signal_enabled_channels="file", signal_file=path,
                                             signal_poll_interval_ms=100))
        wait_until(lambda: "Reading change stream" in w.log())
        for n in range(3):
            with open(path, "a") as f:
                f.write(json.dumps({"id": f"f{n}", "type": "log", "data": {"message": f"said {n}"}}) + "\n")
            wait_until(lambda: f"said {n}" in w.log())
        wait_until(lambda: not os.path.exists(path + ".taken"))
        assert os.path.getsize(path) == 0
