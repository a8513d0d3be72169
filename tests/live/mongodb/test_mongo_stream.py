"""The change stream: restarts, quiet collections, collections that go and come back, lists, what is too large."""
import base64
import json
import time

import bson
import pytest

from kafka_io import events
from mongo_changes import MongoChanges, arrive, check
from weirproc import Weir, wait_until


def ops(found):
    return [(v and v["op"], k["id"]) for k, v in found]


def test_kill_in_snapshot_and_stream(client, db):
    """kill -9 in the snapshot: all of it again; in the stream: nothing lost, nothing twice."""
    client.up.t.insert_many([{"_id": i, "v": 1, "pad": "x" * 500} for i in range(1, 100001)])
    with Weir() as w:
        w.create_connector("up", db.connector("up", database_include_list="up", max_batch_size=128, capture_mode="change_streams"))
        wait_until(lambda: w.rest("GET", "/connectors/up/offsets")[1]["offsets"], interval=0.005)
        w.kill()
        first = len(w.log())
        w.start()
        wait_until(lambda: "Snapshot completed" in w.log()[first:], 60)
        assert "The previous snapshot was incomplete, so restarting the snapshot" in w.log()[first:]
        with MongoChanges(db, "up") as writer:
            for _ in range(5):
                before = writer.count
                wait_until(lambda: writer.count > before + 100)
                w.kill()
                w.start()
        w.wait_running("up")
        found = arrive(w, "up.up.t", db, "up")
        check(found)
        last = [i for i, (_, v) in enumerate(found) if v and v["source"]["snapshot"] == "last"]
        assert len(last) == 1 and all(v["op"] == "r" for _, v in found[:last[0]])
        assert w.log()[first:].count("Snapshot completed") == 1


def test_a_quiet_collection_keeps_its_place(client, db):
    """Without heartbeats the stored position moves while another collection is busy."""
    client.quiet.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("q", db.connector("q", database_include_list="quiet"))
        wait_until(lambda: "Reading change stream" in w.log())
        offset = lambda: [o["offset"] for o in w.rest("GET", "/connectors/q/offsets")[1]["offsets"]][-1]
        wait_until(lambda: w.rest("GET", "/connectors/q/offsets")[1]["offsets"])
        wait_until(lambda: "initsync" not in offset())
        before = offset()
        assert before["sec"] == -1
        client.busy.c.insert_many([{"_id": i} for i in range(100)])
        after = wait_until(lambda: offset() if offset()["resume_token"] != before["resume_token"] else None, 20, 0.5)
        assert after["sec"] == -1 and after["ord"] == -1
        w.kill()
        client.quiet.c.insert_one({"_id": 2})
        w.start()
        found = events(w.bootstrap, "q.quiet.c", 2)
        assert ops(found) == [("r", "1"), ("c", "2")]


def test_no_snapshot_begins_now(client, db):
    """no_data: the position is stored before anything happens, so nothing is lost by a crash right after the start."""
    client.now.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("n", db.connector("n", database_include_list="now", snapshot_mode="no_data"))
        wait_until(lambda: w.rest("GET", "/connectors/n/offsets")[1]["offsets"])
        w.kill()
        client.now.c.insert_one({"_id": 2})
        w.start()
        assert ops(events(w.bootstrap, "n.now.c", 1)) == [("c", "2")]


@pytest.mark.parametrize("scope", ["collection", "database"])
def test_what_is_dropped_comes_back(client, db, scope):
    """A narrow stream ends with its collection; a new one goes on, also over a restart in between."""
    client.inv.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("i", db.connector("i", capture_scope=scope, capture_target="inv.c" if scope == "collection" else "inv"))
        events(w.bootstrap, "i.inv.c", 1)
        wait_until(lambda: "Reading change stream" in w.log())
        for i in range(2, 5):
            time.sleep(1.1)  # equal lines of a log are told once a second
            client.inv.drop_collection("c") if scope == "collection" else client.drop_database("inv")
            wait_until(lambda: w.log().count("its change stream has ended") >= i - 1)
            if i == 3:
                w.kill()
                w.start()
            client.inv.c.insert_one({"_id": i})
            found = events(w.bootstrap, "i.inv.c", i)
        assert ops(found) == [("r", "1"), ("c", "2"), ("c", "3"), ("c", "4")]
        w.wait_running("i")


def test_lists_are_anchored(client, db):
    """db1 is not mydb10, and what is excluded is excluded in the stream too."""
    for name in ("db1", "mydb10"):
        client[name].c.insert_one({"_id": 1})
        client[name].x.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("in", db.connector("in", database_include_list="db1", collection_exclude_list="db1[.]x"))
        w.create_connector("ex", db.connector("ex", database_exclude_list=r"my\p{Lower}+\d+", collection_include_list=r".*\.c"))
        wait_until(lambda: w.log().count("Reading change stream") == 2)
        for name in ("db1", "mydb10"):
            client[name].c.insert_one({"_id": 2})
            client[name].x.insert_one({"_id": 2})
        client.db1.c.insert_one({"_id": 3})
        for prefix in ("in", "ex"):
            assert ops(events(w.bootstrap, f"{prefix}.db1.c", 3)) == [("r", "1"), ("c", "2"), ("c", "3")]
        topics = set(w.rest("GET", "/connectors/in/topics")[1]["in"]["topics"]) | set(w.rest("GET", "/connectors/ex/topics")[1]["ex"]["topics"])
        assert topics == {"in.db1.c", "ex.db1.c"}


def test_too_large_an_event(client, db):
    """An event above 16 MiB fails the task with a remedy, and skip is one: the same position, no document lost but that one."""
    client.big.create_collection("c", changeStreamPreAndPostImages={"enabled": True})
    client.big.c.insert_one({"_id": 1, "s": "x" * (9 << 20)})
    with Weir() as w:
        config = db.connector("b", database_include_list="big", capture_mode="change_streams_update_full_with_pre_image", snapshot_mode="no_data")
        w.create_connector("b", config)
        wait_until(lambda: "Reading change stream" in w.log())
        client.big.c.insert_one({"_id": 2})
        events(w.bootstrap, "b.big.c", 1)
        client.big.c.update_one({"_id": 1}, {"$set": {"n": 1}})  # before and after are 18 MB, but the event has only the first
        before, after = (json.loads(events(w.bootstrap, "b.big.c", 2)[1][1][x]) for x in ("before", "after"))
        assert "n" not in before and after["n"] == 1 and len(after["s"]) == 9 << 20
        client.big.c.insert_one({"_id": 4})  # a position that skip does not leave out
        events(w.bootstrap, "b.big.c", 3)
        client.big.c.replace_one({"_id": 1}, {"s": "y" * (9 << 20)})
        client.big.c.insert_one({"_id": 3})
        status = wait_until(lambda: (lambda s: s if s["tasks"] and s["tasks"][0]["state"] == "FAILED" else None)(
            w.rest("GET", "/connectors/b/status")[1]), 60)
        trace = status["tasks"][0]["trace"]
        assert "10334" in trace and "cursor.oversize.handling.mode" in trace, trace
        config.update({"cursor.oversize.handling.mode": "skip", "cursor.oversize.skip.threshold": "1000000"})
        assert w.rest("PUT", "/connectors/b/config", config)[0] == 200
        assert ops(events(w.bootstrap, "b.big.c", 4)) == [("c", "2"), ("u", "1"), ("c", "4"), ("c", "3")]


def test_stop_and_pause_are_quick(client, db):
    client.s.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("s", db.connector("s", database_include_list="s", cursor_max_await_time_ms=60000))
        wait_until(lambda: "Reading change stream" in w.log())
        time.sleep(1)
        state = lambda: w.rest("GET", "/connectors/s/status")[1]["tasks"][0]["state"]
        began = time.monotonic()
        w.rest("PUT", "/connectors/s/pause")
        wait_until(lambda: state() == "PAUSED")
        assert time.monotonic() - began < 2
        client.s.c.insert_one({"_id": 2})
        w.rest("PUT", "/connectors/s/resume")
        assert ops(events(w.bootstrap, "s.s.c", 2)) == [("r", "1"), ("c", "2")]
        began = time.monotonic()
        w.stop()
        assert time.monotonic() - began < 2


def test_many_threads_in_the_snapshot(client, db):
    """Collections of their own thread each: source blocks are not mixed, the last record of all is marked, all counted."""
    for t in range(6):
        client.many[f"c{t}"].insert_many([{"_id": i, "of": f"c{t}"} for i in range(2000)])
    with Weir() as w:
        w.create_connector("m", db.connector("m", database_include_list="many", snapshot_max_threads=4, max_batch_size=100))
        wait_until(lambda: "Snapshot completed" in w.log(), 60)
        wait_until(lambda: "Reading change stream" in w.log())
        last = 0
        for t in range(6):
            found = events(w.bootstrap, f"m.many.c{t}", 2000)
            assert len(found) == 2000
            for _, v in found:
                assert v["source"]["collection"] == json.loads(v["after"])["of"] == f"c{t}"
                last += v["source"]["snapshot"] == "last"
        assert last == 1
        assert "Creating snapshot worker pool with 4 worker thread(s)" in w.log()


def test_an_empty_snapshot_is_complete(client, db):
    with Weir() as w:
        w.create_connector("e", db.connector("e", database_include_list="nothing"))
        wait_until(lambda: w.rest("GET", "/connectors/e/offsets")[1]["offsets"])
        assert "initsync" not in w.rest("GET", "/connectors/e/offsets")[1]["offsets"][0]["offset"]
        w.stop()
        w.start()
        wait_until(lambda: "A previous offset indicating a completed snapshot has been found." in w.log())
        assert w.log().count("Snapshot completed") == 1


def test_metrics(client, db):
    client.met.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("met", db.connector("met", database_include_list="met"))
        wait_until(lambda: "Reading change stream" in w.log())
        client.met.c.insert_one({"_id": 2})
        client.met.c.update_one({"_id": 2}, {"$set": {"a": 1}})
        client.met.c.delete_one({"_id": 2})
        events(w.bootstrap, "met.met.c", 5)

        def metrics():
            text = w.rest("GET", "/metrics", base=w.web)[1]
            lines = [line for line in text.splitlines() if line.startswith("debezium_metrics_") and 'context="streaming"' in line]
            return {line.split("{")[0].removeprefix("debezium_metrics_"): float(line.rsplit(" ", 1)[1]) for line in lines}
        found = wait_until(lambda: metrics() if metrics().get("TotalNumberOfDeleteEventsSeen") == 1 else None)
        assert found["Connected"] == 1 and found["TotalNumberOfCreateEventsSeen"] == 1 and found["TotalNumberOfUpdateEventsSeen"] == 1
        assert found["NumberOfDisconnects"] == 0 and found["MilliSecondsBehindSource"] >= 0
        assert wait_until(lambda: metrics()["NumberOfEmptyPolls"] > 0)
        text = w.rest("GET", "/metrics", base=w.web)[1]
        assert 'debezium_metrics_RowsScanned{plugin="mongodb",name="met",context="snapshot",table="met.c"} 1' in text


def test_a_narrower_scope(client, db):
    """The last event is of another collection than the new scope's: streaming goes on from its time."""
    client.sc.a.insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("sc", database_include_list="sc")
        w.create_connector("sc", config)
        wait_until(lambda: "Reading change stream" in w.log())
        client.sc.b.insert_one({"_id": 1})
        events(w.bootstrap, "sc.sc.b", 1)
        w.rest("PUT", "/connectors/sc/stop")
        wait_until(lambda: not w.rest("GET", "/connectors/sc/status")[1]["tasks"])
        client.sc.a.insert_one({"_id": 2})
        config.update({"capture.scope": "collection", "capture.target": "sc.a"})
        assert w.rest("PUT", "/connectors/sc/config", config)[0] == 200
        w.rest("PUT", "/connectors/sc/resume")
        assert ops(events(w.bootstrap, "sc.sc.a", 2)) == [("r", "1"), ("c", "2")]
        assert w.log().count("Snapshot completed") == 1


@pytest.mark.parametrize("narrower", [{"database.include.list": "na"}, {"collection.include.list": "na[.]t"}, {"skipped.operations": "u"},
                                      {"filters.match.mode": "literal", "database.include.list": "na"}])
def test_narrower_lists(client, db, narrower):
    """The last event is one that the configuration leaves out now: streaming goes on behind it."""
    for name in ("na", "nb"):
        client[name].t.insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("nl", database_include_list="na,nb", snapshot_mode="no_data")
        w.create_connector("nl", config)
        wait_until(lambda: "Reading change stream" in w.log())
        client.na.t.insert_one({"_id": 2})
        client.nb.t.update_one({"_id": 1}, {"$set": {"v": 1}})
        events(w.bootstrap, "nl.nb.t", 1)
        w.rest("PUT", "/connectors/nl/stop")
        wait_until(lambda: not w.rest("GET", "/connectors/nl/status")[1]["tasks"])
        client.na.t.insert_one({"_id": 3})
        client.nb.t.update_one({"_id": 1}, {"$set": {"v": 2}})
        config.update(narrower)
        assert w.rest("PUT", "/connectors/nl/config", config)[0] == 200
        w.rest("PUT", "/connectors/nl/resume")
        assert ops(events(w.bootstrap, "nl.na.t", 2)) == [("c", "2"), ("c", "3")]
        assert len(events(w.bootstrap, "nl.nb.t", 1)) == 1


def test_images_and_the_guardrail(client, db):
    """Collections without images are named at start; too many collections are told, or refused."""
    client.gr.create_collection("kept", changeStreamPreAndPostImages={"enabled": True})
    client.gr.plain.insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("gr", database_include_list="gr", capture_mode="change_streams_with_pre_image", guardrail_collections_max=1)
        w.create_connector("gr", config)
        events(w.bootstrap, "gr.gr.plain", 1)
        assert "'gr.plain' keeps no images for capture.mode" in w.log() and "'gr.kept' keeps no images" not in w.log()
        assert "The number of captured collections 2 exceeds the limit guardrail.collections.max=1" in w.log()
        config["guardrail.collections.limit.action"] = "fail"
        w.rest("PUT", "/connectors/gr/config", config)
        wait_until(lambda: "guardrail.collections.max=1" in json.dumps(w.rest("GET", "/connectors/gr/status")[1]))


def test_old_tokens_are_told_of(client, db):
    """Where the stored position is too old, the log says how old, and what there is to do."""
    client.old.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("old", db.connector("old", database_include_list="old"))
        events(w.bootstrap, "old.old.c", 1)
        w.rest("PUT", "/connectors/old/stop")
        wait_until(lambda: not w.rest("GET", "/connectors/old/status")[1]["tasks"])
        # of an event that this server never had
        data = "826B014AB2000000042B022C0100296E5A10048A33D7A0F5B347CB853636167D175BBD461E5F6964002B160004"
        token = base64.b64encode(bson.encode({"_data": data})).decode()
        status, _ = w.rest("PATCH", "/connectors/old/offsets", {"offsets": [
            {"partition": {"server_id": "old"}, "offset": {"sec": 1795246770, "ord": 4, "resume_token": token}}]})
        assert status == 200
        w.rest("PUT", "/connectors/old/resume")
        wait_until(lambda: "this is no longer available on the server" in json.dumps(w.rest("GET", "/connectors/old/status")[1]))
        assert "the stored position is of 2026-11-21T07:39:30Z, the server's oplog begins at 20" in w.log()


@pytest.mark.parametrize("mode", ["initial", "no_data"])
def test_a_wrong_pipeline(client, db, mode):
    """A stage that the server does not know ends the task at once, and the trace names the option."""
    client.wp.c.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("wp", db.connector("wp", database_include_list="wp", snapshot_mode=mode, cursor_pipeline="[{$noSuchStage: {}}]"))
        status = wait_until(lambda: (lambda s: s if s["tasks"] and s["tasks"][0]["state"] == "FAILED" else None)(
            w.rest("GET", "/connectors/wp/status")[1]))
        trace = status["tasks"][0]["trace"]
        assert "$noSuchStage" in trace and "cursor.pipeline" in trace, trace


def test_a_user_who_may_not(client, db):
    """Rights are missing from the beginning: the task fails with the server's words, and does not try for ever."""
    client.au.c.insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("au", database_include_list="au", snapshot_mode="no_data", mongodb_user="nobody", mongodb_password="secret-word")
        status, body = w.rest("POST", "/connectors", {"name": "au", "config": config})
        assert status == 400 and "secret-word" not in json.dumps(body), body
        assert "secret-word" not in w.log()
