"""A stream that is far behind, where the next answer is on its way while one is worked on: order, position, ends."""
import json
import time

import pytest

from kafka_io import events
from weirproc import Weir, wait_until

COUNT = 30000


def fall_behind(w, db, client, name, **extra):
    """A stopped connector, and COUNT updates that it has not seen, in the order of _id."""
    client[name].t.insert_many([{"_id": i, "pad": "x" * 100} for i in range(COUNT)])
    w.create_connector(name, db.connector(name, snapshot_mode="no_data", **extra))
    wait_until(lambda: w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"])
    w.rest("PUT", f"/connectors/{name}/stop")
    wait_until(lambda: not w.rest("GET", f"/connectors/{name}/status")[1]["tasks"])
    client[name].t.update_many({}, {"$set": {"v": 1}})


@pytest.mark.parametrize("mode", ["change_streams", "change_streams_update_full"])
def test_killed_on_the_way(client, db, mode):
    name = mode.replace("_", "")
    with Weir() as w:
        fall_behind(w, db, client, name, capture_mode=mode, database_include_list=name)
        w.rest("PUT", f"/connectors/{name}/resume")
        for _ in range(4):
            time.sleep(0.15)
            w.kill()
            w.start()
        found = events(w.bootstrap, f"{name}.{name}.t", COUNT)
        assert [int(k["id"]) for k, _ in found] == list(range(COUNT))
        full = mode != "change_streams"
        assert all(v["op"] == "u" and (json.loads(v["after"])["v"] == 1 if full else v["after"] is None) for _, v in found)


def test_stopped_on_the_way(client, db):
    with Weir() as w:
        fall_behind(w, db, client, "halt", database_include_list="halt")
        for _ in range(3):
            w.rest("PUT", "/connectors/halt/resume")
            time.sleep(0.3)
            w.rest("PUT", "/connectors/halt/stop")
            wait_until(lambda: not w.rest("GET", "/connectors/halt/status")[1]["tasks"])
        w.rest("PUT", "/connectors/halt/resume")
        assert [int(k["id"]) for k, _ in events(w.bootstrap, "halt.halt.t", COUNT)] == list(range(COUNT))


def test_the_end_of_a_narrow_stream(client, db):
    """All updates come, then the stream ends with its collection, and the next begins behind that."""
    with Weir() as w:
        fall_behind(w, db, client, "narrow", capture_scope="collection", capture_target="narrow.t")
        client.narrow.t.drop()
        w.rest("PUT", "/connectors/narrow/resume")
        found = events(w.bootstrap, "narrow.narrow.t", COUNT)
        assert [int(k["id"]) for k, _ in found] == list(range(COUNT)) and all(v["after"] is None for _, v in found)
        wait_until(lambda: "its change stream has ended" in w.log())
        client.narrow.t.insert_one({"_id": "new"})
        found = events(w.bootstrap, "narrow.narrow.t", COUNT + 1)
        assert found[-1][1]["op"] == "c" and len(found) == COUNT + 1
