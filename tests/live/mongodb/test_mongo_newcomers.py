"""Collections that come in later: which ones, what brings their documents, and whether they keep images."""
import re
import time

import pytest

from kafka_io import events
from weirproc import Weir, wait_until

INCLUDED, APPEARED, IMAGES = "newly included: ", "has appeared and is captured", "keeps no images"


def put(w, name, config):
    """Returns when it streams again."""
    time.sleep(1.1)  # equal lines of one second are one line of the log
    before = len(w.log())
    assert w.rest("PUT", f"/connectors/{name}/config", config)[0] == 200
    wait_until(lambda: "Reading change stream" in w.log()[before:])


def test_wider_lists(client, db):
    """Each is told once; the command in the log brings its documents."""
    for name in ("a", "b", "c", "d"):
        client.s[name].insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("w", database_include_list="s", collection_include_list="s.a", signal_data_collection="s.signals")
        w.create_connector("w", config)
        wait_until(lambda: "Reading change stream" in w.log())
        events(w.bootstrap, "w.s.a", 1)
        put(w, "w", {**config, "collection.include.list": "s.a,s[.][bc]"})
        wait_until(lambda: INCLUDED in w.log())
        line = w.log().split(INCLUDED, 1)[1].split("\n")[0]
        assert line.startswith("'s.b', 's.c'; "), line
        w.stop()
        w.start()
        client.s.a.insert_one({"_id": 2})
        events(w.bootstrap, "w.s.a", 2)
        assert w.log().count(INCLUDED) == 1
        command = re.search(r'db\.getSiblingDB\("s"\)\.getCollection\("signals"\)\.insertOne\(\{_id: ObjectId\(\), type: "execute-snapshot", '
                            r'data: \{"data-collections": \["s.b","s.c"\], type: "incremental"\}\}\)', line)
        assert command, line
        client.s.signals.insert_one({"type": "execute-snapshot", "data": {"data-collections": ["s.b", "s.c"], "type": "incremental"}})
        for name in ("b", "c"):
            assert [v["op"] for _, v in events(w.bootstrap, f"w.s.{name}", 1)] == ["r"]
        put(w, "w", {**config, "collection.include.list": "s.a"})  # narrower: nothing to tell; wider again: b and c have missed something
        put(w, "w", {**config, "collection.include.list": ""})
        wait_until(lambda: w.log().count(INCLUDED) == 2)
        assert w.log().rsplit(INCLUDED, 1)[1].startswith("'s.b', 's.c', 's.d'; ")
        w.rest("PUT", "/connectors/w/stop")
        wait_until(lambda: w.rest("GET", "/connectors/w/status")[1]["connector"]["state"] == "STOPPED")
        wait_until(lambda: w.rest("DELETE", "/connectors/w/offsets")[0] == 200)
        before = len(w.log())
        del config["collection.include.list"]
        assert w.rest("PUT", "/connectors/w/config", {**config, "collection.exclude.list": "s.b"})[0] == 200
        w.rest("PUT", "/connectors/w/resume")
        wait_until(lambda: "Snapshot completed" in w.log()[before:])  # which has everything
        assert INCLUDED not in w.log()[before:]


def test_a_wider_scope_without_signals(client, db):
    client.s.a.insert_one({"_id": 1})
    client.s.b.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("w", db.connector("w", capture_scope="collection", capture_target="s.a"))
        events(w.bootstrap, "w.s.a", 1)
        put(w, "w", db.connector("w", capture_scope="database", capture_target="s"))
        wait_until(lambda: INCLUDED in w.log())
        line = w.log().split(INCLUDED, 1)[1].split("\n")[0]
        assert line.startswith("'s.b'; ") and "set signal.data.collection or signal.enabled.channels, and send the signal {" in line, line


def test_nothing_is_included_without_a_stream(client, db):
    """initial_only: told when changes are captured."""
    client.s.a.insert_one({"_id": 1})
    client.s.b.insert_one({"_id": 1})
    with Weir() as w:
        config = db.connector("o", database_include_list="s", collection_include_list="s.a", snapshot_mode="initial_only")
        w.create_connector("o", config)
        events(w.bootstrap, "o.s.a", 1)
        wait_until(lambda: "Streaming is disabled" in w.log())
        wider = {**config, "collection.include.list": "s.a,s.b"}
        put(w, "o", wider)
        wait_until(lambda: "no snapshot will occur" in w.log())
        assert INCLUDED not in w.log()
        put(w, "o", {**wider, "snapshot.mode": "initial"})
        wait_until(lambda: INCLUDED + "'s.b'; " in w.log())


def test_one_appears(client, db):
    """Told at its first change; one that is created by hand, one that is renamed into the list, one that a wider list has, a known one."""
    client.s.known.insert_one({"_id": 1})
    client.s.old.insert_many([{"_id": 1}, {"_id": 2}])
    with Weir() as w:
        w.create_connector("a", db.connector("a", database_include_list="s", collection_exclude_list="s.old"))
        wait_until(lambda: "Reading change stream" in w.log())
        client.s.known.insert_one({"_id": 2})
        client.s.fresh.insert_one({"_id": 1})
        client.s.old.rename("renamed")
        client.s.renamed.insert_one({"_id": 3})
        for again in range(2):
            client.s.fresh.insert_one({})
            client.s.renamed.insert_one({})
        events(w.bootstrap, "a.s.renamed", 3)
        wait_until(lambda: w.log().count(APPEARED) == 2)
        client.s.fresh.drop()
        client.s.fresh.insert_one({"_id": 5})
        events(w.bootstrap, "a.s.fresh", 4)
        w.stop()
        w.start()
        client.s.fresh.insert_one({"_id": 6})
        events(w.bootstrap, "a.s.fresh", 5)
        assert w.log().count(APPEARED) == 2 and INCLUDED not in w.log()
        assert "'s.fresh' has appeared" in w.log() and "'s.renamed' has appeared" in w.log()


@pytest.mark.parametrize("mode", [{"capture_mode": "change_streams_with_pre_image"}, {"capture_mode_full_update_type": "post_image"}])
def test_images_of_one_that_appears(client, db, mode):
    """The command is told once, at the first change; again when it was dropped and made anew; not for one that keeps them."""
    client.s.known.insert_one({"_id": 1})
    with Weir() as w:
        w.create_connector("i", db.connector("i", database_include_list="s", **mode))
        wait_until(lambda: "Reading change stream" in w.log())
        assert w.log().count(IMAGES) == 1
        client.s.known.insert_one({"_id": 2})
        client.s.create_collection("kept", changeStreamPreAndPostImages={"enabled": True})
        client.s.kept.insert_one({"_id": 1})
        for i in range(3):
            client.s.fresh.insert_one({"_id": i})
        wait_until(lambda: 'db.getSiblingDB("s").runCommand({collMod:"fresh",changeStreamPreAndPostImages:{enabled:true}})' in w.log())
        time.sleep(1.1)  # equal lines of one second are one line of the log
        client.s.fresh.drop()
        client.s.kept.drop()
        client.s.create_collection("kept", changeStreamPreAndPostImages={"enabled": True})
        client.s.fresh.insert_one({"_id": 1})
        client.s.kept.insert_one({"_id": 2})
        wait_until(lambda: w.log().count("'s.fresh' keeps no images") == 2)
        client.s.kept.insert_one({"_id": 3})
        events(w.bootstrap, "i.s.kept", 3)
        assert w.log().count(IMAGES) == 3
