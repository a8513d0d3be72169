"""What a task does when something about its stream or snapshot is wrong for good, and the pauses around that."""
import base64
import contextlib
import datetime

import bson
import pytest

from kafka_io import events
from weirproc import Weir, wait_until


def failed(w, name):
    status = w.rest("GET", f"/connectors/{name}/status")[1]
    return status["tasks"][0]["trace"] if status["tasks"] and status["tasks"][0]["state"] == "FAILED" else None


def at(w, text, which=-1):
    """When the log told it, in seconds."""
    line = [x for x in w.log().splitlines() if text in x][which]
    return datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()


@pytest.mark.parametrize("stage", ['{"$set": {"_id": 1}}', '{"$unset": "_id"}'])
def test_a_stage_that_changes_the_position(client, db, stage):
    """The server has one code for this and for a lost history: it is not answered with a snapshot."""
    client.p.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("p", db.connector("p", database_include_list="p", snapshot_mode="when_needed", cursor_pipeline=f"[{stage}]"))
        wait_until(lambda: "Reading change stream" in w.log())
        client.p.c.insert_one({"_id": 2})
        trace = wait_until(lambda: failed(w, "p"), 30)
        assert "was modified by the pipeline" in trace and "a stage of cursor.pipeline changes or removes _id" in trace
        assert "no longer available" not in w.log()
        assert w.log().count("Snapshot completed") == 1


@pytest.mark.parametrize("stage, told", [('{"$unset": "ns"}', "no ns.db or ns.coll"), ('{"$set": {"ns": "c"}}', "no ns.db or ns.coll"),
                                         ('{"$unset": "ns.coll"}', "no ns.db or ns.coll"), ('{"$unset": "operationType"}', "no operationType"),
                                         ('{"$set": {"documentKey": 1, "fullDocument": "x"}}', "no documentKey")])
def test_a_stage_that_changes_what_an_event_is(client, db, stage, told):
    with Weir() as w:
        w.create_connector("e", db.connector("e", cursor_pipeline=f"[{stage}]"))
        wait_until(lambda: "Reading change stream" in w.log())
        client.e.c.insert_one({"_id": 2})
        trace = wait_until(lambda: failed(w, "e"), 30)
        assert told in trace and "a stage of cursor.pipeline removes it" in trace


def test_a_lost_position_without_the_check(client, db):
    """The position is not looked at when the task starts, the stream cannot be opened there: one snapshot, after a pause."""
    client.l.c.insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("l", database_include_list="l", snapshot_mode="when_needed", internal_log_position_check_enable="false",
                              retriable_restart_connector_wait_ms=1500)
        w.create_connector("l", config)
        wait_until(lambda: "Reading change stream" in w.log())
        client.l.c.insert_one({"_id": 2})
        events(w.bootstrap, "l.l.c", 2)
        offset = lambda: w.rest("GET", "/connectors/l/offsets")[1]["offsets"]
        wait_until(lambda: offset() and offset()[0]["offset"]["sec"] > 0)
        w.rest("PUT", "/connectors/l/stop")
        wait_until(lambda: w.rest("GET", "/connectors/l/status")[1]["connector"]["state"] == "STOPPED")
        stored = offset()
        digits = bson.decode(base64.b64decode(stored[0]["offset"]["resume_token"]))["_data"]
        gone = digits[:2] + f"{int(digits[2:10], 16) - 1:08X}" + digits[10:]  # an event that never was
        stored[0]["offset"]["resume_token"] = base64.b64encode(bson.encode({"_data": gone})).decode()
        assert w.rest("PATCH", "/connectors/l/offsets", {"offsets": stored})[0] == 200
        w.rest("PUT", "/connectors/l/resume")
        wait_until(lambda: w.log().count("Snapshot completed") == 2, 30)
        assert at(w, "Attempting to restart task") - at(w, "Last recorded offset is no longer available", 0) > 1.4
        client.l.c.insert_one({"_id": 3})
        found = events(w.bootstrap, "l.l.c", 5)
        assert [(v["op"], k["id"]) for k, v in found] == [("r", "1"), ("c", "2"), ("r", "1"), ("r", "2"), ("c", "3")]
        assert w.log().count("Attempting to restart task") == 1


@pytest.mark.parametrize("check", ["true", "false"])
def test_the_pause_is_behind_a_snapshot(client, db, check):
    client.d.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("d", db.connector("d", database_include_list="d", streaming_delay_ms=2500, internal_log_position_check_enable=check))
        wait_until(lambda: "Reading change stream" in w.log())
        assert at(w, "Reading change stream") - at(w, "Snapshot completed") > 2.4
        wait_until(lambda: w.rest("GET", "/connectors/d/offsets")[1]["offsets"] and "initsync" not in w.rest("GET", "/connectors/d/offsets")[1]["offsets"][0]["offset"])
        w.stop()
        client.d.c.insert_one({"_id": 2})
        w.start()
        wait_until(lambda: "no snapshot will occur" in w.log())
        wait_until(lambda: w.log().count("Reading change stream") == 2)
        assert at(w, "Reading change stream") - at(w, "no snapshot will occur") < 2.4
        assert [v["op"] for _, v in events(w.bootstrap, "d.d.c", 2)] == ["r", "c"]


def test_a_blocking_snapshot_that_fails(client, db):
    """What was read before the fault is told once, the request is gone from the offset, and the stream goes on."""
    client.s.a.insert_many([{"_id": i} for i in range(1, 51)])
    client.s.b.insert_one({"_id": 1, "zero": 0})
    with Weir() as w:
        w.create_connector("s", db.connector("s", database_include_list="s", snapshot_mode="no_data", signal_data_collection="s.signals"))
        wait_until(lambda: "Reading change stream" in w.log())
        data = {"data-collections": ["s.a", "s.b"], "type": "blocking",
                "additional-conditions": [{"data-collection": "s.b", "filter": '{"$expr": {"$eq": [{"$divide": [1, "$zero"]}, 1]}}'}]}
        client.s.signals.insert_one({"_id": "x", "type": "execute-snapshot", "data": data})
        wait_until(lambda: "the blocking snapshot failed; it is not tried again" in w.log())
        client.s.a.insert_one({"_id": 51})
        wait_until(lambda: any(v["op"] == "c" for _, v in events(w.bootstrap, "s.s.a", 1)))
        wait_until(lambda: "blocking_snapshots" not in w.rest("GET", "/connectors/s/offsets")[1]["offsets"][0]["offset"])
        w.stop()
        w.start()
        wait_until(lambda: w.log().count("no snapshot will occur") == 2)
        client.s.a.insert_one({"_id": 52})
        wait_until(lambda: sum(v["op"] == "c" for _, v in events(w.bootstrap, "s.s.a", 2)) == 2)
        reads = [k["id"] for k, v in events(w.bootstrap, "s.s.a") if v["op"] == "r"]
        assert len(reads) == len(set(reads))
        assert "A blocking snapshot was cut off" not in w.log()
        w.wait_running("s")


@contextlib.contextmanager
def failing(client, command, code, mode):
    client.admin.command("configureFailPoint", "failCommand", mode=mode, data={"failCommands": [command], "errorCode": code})
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def test_a_blocking_snapshot_is_cut_off(client, db):
    """A fault that passes: it begins anew after a pause, and all its rows come."""
    client.cut.a.insert_many([{"_id": i} for i in range(50)])
    with Weir() as w:
        w.create_connector("cut", db.connector("cut", database_include_list="cut", snapshot_mode="no_data", signal_data_collection="cut.signals",
                                               retriable_restart_connector_wait_ms=200))
        wait_until(lambda: "Reading change stream" in w.log())
        with failing(client, "find", 91, {"times": 2}):  # the driver itself tries a second time
            client.cut.signals.insert_one({"_id": "x", "type": "execute-snapshot", "data": {"data-collections": ["cut.a"], "type": "blocking"}})
            wait_until(lambda: "the blocking snapshot failed; it begins anew in 200 ms" in w.log())
            assert sorted(int(k["id"]) for k, _ in events(w.bootstrap, "cut.cut.a", 50)) == list(range(50))
        client.cut.a.insert_one({"_id": 50})
        wait_until(lambda: any(v["op"] == "c" for _, v in events(w.bootstrap, "cut.cut.a", 51)))
        wait_until(lambda: "blocking_snapshots" not in w.rest("GET", "/connectors/cut/offsets")[1]["offsets"][0]["offset"])
        w.wait_running("cut")


def test_an_election_between_two_tries(client, db):
    """The position is found behind another filter only; a fault that passes in that second try does not say that it is lost."""
    client.n.c.insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("n", collection_include_list="n.c", snapshot_mode="no_data", retriable_restart_connector_wait_ms=200)
        w.create_connector("n", config)
        wait_until(lambda: "Reading change stream" in w.log())
        client.n.c.insert_one({"_id": 2})
        events(w.bootstrap, "n.n.c", 1)
        w.rest("PUT", "/connectors/n/stop")
        wait_until(lambda: not w.rest("GET", "/connectors/n/status")[1]["tasks"])
        client.n.other.insert_one({"_id": 3})
        w.rest("PUT", "/connectors/n/config", {**config, "collection.include.list": "n.other"})
        with failing(client, "aggregate", 91, {"skip": 1}):  # the first finds no event of that position
            w.rest("PUT", "/connectors/n/resume")
            wait_until(lambda: failed(w, "n") or "because of a connection failure; will retry" in w.log())
        assert [k["id"] for k, _ in events(w.bootstrap, "n.n.other", 1)] == ["3"]
        assert "no longer available" not in w.log()


def test_lookups_that_keep_failing(client, db):
    """That the stream is opened again is no success: the task fails after errors.max.retries. Then fewer documents are asked for at once."""
    client.r.c.insert_many([{"_id": i} for i in range(300)])
    with Weir() as w:
        w.create_connector("r", db.connector("r", database_include_list="r", snapshot_mode="no_data", errors_max_retries=2,
                                             retriable_restart_connector_wait_ms=100, mongodb_server_selection_timeout_ms=500))
        wait_until(lambda: "Reading change stream" in w.log())
        with failing(client, "find", 91, "alwaysOn"):
            client.r.c.update_many({}, {"$set": {"v": 1}})
            assert "error 91" in wait_until(lambda: failed(w, "r"), 20)
        assert w.log().count("This connector will be restarted") == 2
        assert "the change stream goes on" not in w.log()
        client.r.command("profile", 2)
        with failing(client, "find", 91, {"times": 2}):
            w.rest("POST", "/connectors/r/tasks/0/restart")
            assert [v["op"] for _, v in events(w.bootstrap, "r.r.c", 300)] == ["u"] * 300
        assert w.log().count("the change stream goes on") == 1
        asked = [x["command"]["batchSize"] - 1 for x in client.r.system.profile.find({"command.find": "c"}).sort("ts")]
        client.r.command("profile", 0)
        assert 1 < asked[0] < 300, asked


def test_a_list_that_captures_nothing_yet(client, db):
    """The recorded line, and what is known about why."""
    with Weir() as w:
        w.create_connector("n", db.connector("n", collection_include_list="n.later, orders, n[.]x"))
        wait_until(lambda: "After applying the include/exclude list filters, no changes will be captured. Please check your configuration!" in w.log(), 30)
        wait_until(lambda: "Reading change stream" in w.log(), 30)
        assert "collection 'n.later' does not exist yet; it is captured as soon as it does" in w.log()
        assert "'orders' of collection.include.list matches nothing: elements have the form database.collection" in w.log()
        assert "n[.]x'" not in w.log()
        client.n.later.insert_one({"_id": 1})
        events(w.bootstrap, "n.n.later", 1)
