"""The documents of updates, which the connector finds itself for many events at a time: each case is judged by what the server's own
fullDocument=updateLookup says of the same events at the same time."""
import json
import time

import bson
import pytest

from kafka_io import events
from weirproc import Weir, wait_until


@pytest.fixture(scope="module")
def w():
    with Weir() as server:
        yield server


def stopped(w, name):
    w.rest("PUT", f"/connectors/{name}/stop")
    wait_until(lambda: not w.rest("GET", f"/connectors/{name}/status")[1]["tasks"])


def prepare(w, db, client, name, **extra):
    """A connector that stands at the end of the stream, stopped, and the token of that place."""
    w.create_connector(name, db.connector(name, snapshot_mode="no_data", database_include_list=f"{name}.*", json_serialization_mode="relaxed", **extra))
    wait_until(lambda: w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"])
    stopped(w, name)
    with client.watch() as stream:
        stream.try_next()
        return stream.resume_token


def looked_up(client, token, database, count):
    """What the server says: [(operation, _id, document)]."""
    found = []
    with client.watch([{"$match": {"ns.db": database}}], full_document="updateLookup", resume_after=token) as stream:
        end = time.monotonic() + 30
        while len(found) < count:
            e = stream.try_next()
            assert e or time.monotonic() < end, f"{len(found)} of {count} events"
            if e and "documentKey" in e:
                found.append((e["operationType"][0].replace("i", "c"), e["documentKey"]["_id"], e.get("fullDocument")))
    return found


def told(w, topic, count, timeout=20):
    return [(v["op"], json.loads(v["after"]) if v["after"] else None) for _, v in events(w.bootstrap, topic, count, timeout) if v]


def renamed(c, d):
    c[d].t.rename("u")


def renamed_and_made_again(c, d):
    c[d].t.rename("u")
    c[d].t.insert_one({"_id": 1, "v": "of another collection"})


def made_again(c, d):
    c[d].t.drop()
    c[d].t.insert_one({"_id": 1, "v": "of another collection"})


CASES = {
    "left": lambda c, d: None,
    "changed": lambda c, d: c[d].t.update_many({}, {"$set": {"late": True}}),
    "deleted": lambda c, d: c[d].t.delete_one({"_id": 1}),
    "othertype": lambda c, d: (c[d].t.delete_one({"_id": 1}), c[d].t.insert_one({"_id": 1.0, "v": "a double"})),
    "dropped": lambda c, d: c[d].t.drop(),
    "nodb": lambda c, d: c.drop_database(d),
    "madeagain": made_again,
    "renamed": renamed,
    "renamedagain": renamed_and_made_again,
    "otherdb": lambda c, d: c.admin.command({"renameCollection": f"{d}.t", "to": f"{d}2.t"}),
}


@pytest.mark.parametrize("case", CASES)
def test_between_event_and_lookup(client, db, w, case):
    """What happens to the document or its collection before it is looked up."""
    client[case].t.insert_many([{"_id": 1, "v": 0}, {"_id": 2, "v": 0}, {"_id": "k", "v": 0}])
    token = prepare(w, db, client, case)
    for _ in range(2):
        client[case].t.update_many({}, {"$inc": {"v": 1}})
    CASES[case](client, case)
    want = [(op, doc) for op, _, doc in looked_up(client, token, case, 6)][:6]
    w.rest("PUT", f"/connectors/{case}/resume")
    assert told(w, f"{case}.{case}.t", 6)[:6] == want
    assert "looked up by the server" not in w.log()
    stopped(w, case)
    w.rest("DELETE", f"/connectors/{case}")


def test_kinds_of_keys(client, db, w):
    """Every kind of _id is found again, also where equal numbers of two kinds follow each other, and under a collation."""
    keys = [bson.Int64(5), 5.5, "text", "", None, True, bson.ObjectId(), bson.Binary(b"ab", 0), {"a": 1, "b": "x"}, {"b": "x", "a": 1}, {},
            bson.Decimal128("1.50"), bson.Timestamp(1, 2), bson.MinKey(), bson.MaxKey(), bson.Code("f()"), -0.0, float("nan")]
    client.keys.t.insert_many([{"_id": k, "n": i} for i, k in enumerate(keys)])
    client.keys.create_collection("c", collation={"locale": "en", "strength": 2})
    client.keys.c.insert_many([{"_id": "a"}, {"_id": "B"}, {"_id": "c"}])
    token = prepare(w, db, client, "keys")
    client.keys.t.update_many({}, {"$set": {"x": 1}})
    client.keys.c.update_many({}, {"$set": {"x": 1}})
    client.keys.c.delete_one({"_id": "b"})
    client.keys.c.insert_one({"_id": "b", "new": True})
    client.keys.c.delete_one({"_id": "c"})
    want = looked_up(client, token, "keys", len(keys) + 6)
    w.rest("PUT", "/connectors/keys/resume")
    found = told(w, "keys.keys.t", len(keys))
    assert [d["n"] for _, d in found] == list(range(len(keys))) and all(d["x"] == 1 for _, d in found)
    assert told(w, "keys.keys.c", 6)[:4] == [(op, doc) for op, _, doc in want[len(keys):len(keys) + 6]][:4]
    assert "looked up by the server" not in w.log()


def test_many_collections_and_large_documents(client, db, w):
    """More collections than go into one portion, and documents of which few fit into one answer; some are gone."""
    pad = "x" * (3 << 20)
    for t in range(70):
        client.many[f"t{t}"].insert_many([{"_id": i, "t": t} for i in range(3)])
    client.many.big.insert_many([{"_id": i, "small": True} for i in range(24)])
    prepare(w, db, client, "many", max_batch_size=7)
    for i in range(3):
        for t in range(70):
            client.many[f"t{t}"].update_one({"_id": i}, {"$set": {"v": i}})
    for i in range(24):
        client.many.big.update_one({"_id": i}, {"$set": {"v": 1}})
    for i in range(24):
        client.many.big.replace_one({"_id": i}, {"_id": i, "pad": pad, "n": i})
    client.many.big.delete_one({"_id": 3})
    w.rest("PUT", "/connectors/many/resume")
    for t in (0, 33, 69):
        assert told(w, f"many.many.t{t}", 3) == [("u", {"_id": i, "t": t, "v": i}) for i in range(3)]
    found = told(w, "many.many.big", 49)[:24]
    assert [d and (d["_id"], d["n"], len(d["pad"])) for _, d in found] == [None if i == 3 else (i, i, len(pad)) for i in range(24)]
    assert "looked up by the server" not in w.log()
    assert peak_mb(w.process.pid) < 200


def test_large_documents_behind_small_ones(client, db):
    """Portions are made for small documents; then there are large ones of many collections, of which not all are held at once."""
    small, each, collections = 1500, 8, 16
    client.heavy.small.insert_many([{"_id": i} for i in range(small)])
    for t in range(collections):
        client.heavy[f"t{t}"].insert_many([{"_id": i, "pad": "x" * 1900000} for i in range(each)])
    with Weir() as w:
        prepare(w, db, client, "heavy")
        client.heavy.small.update_many({}, {"$set": {"v": 1}})
        for t in range(collections):
            client.heavy[f"t{t}"].update_many({}, {"$set": {"v": 1}})
        w.rest("PUT", "/connectors/heavy/resume")
        assert len(told(w, "heavy.heavy.small", small)) == small
        for t in (0, collections - 1):
            assert [(d["_id"], d["v"]) for _, d in told(w, f"heavy.heavy.t{t}", each, 90)] == [(i, 1) for i in range(each)]
        assert "looked up by the server" not in w.log()
        assert peak_mb(w.process.pid) < 64 + 4 * 16  # an answer is 16 MB at most


def peak_mb(pid):
    return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM"))


def test_in_a_transaction(client, db, w):
    client.txn.t.insert_many([{"_id": i, "v": 0} for i in range(3)])
    token = prepare(w, db, client, "txn")
    with client.start_session() as s, s.start_transaction():
        for i in range(3):
            client.txn.t.update_one({"_id": i}, {"$set": {"v": 1}}, session=s)
        client.txn.t.update_one({"_id": 0}, {"$set": {"v": 2}}, session=s)
    want = [(op, doc) for op, _, doc in looked_up(client, token, "txn", 4)]
    w.rest("PUT", "/connectors/txn/resume")
    assert told(w, "txn.txn.t", 4) == want


def fail_finds(client, code, times):
    client.admin.command("configureFailPoint", "failCommand", mode=times, data={"failCommands": ["find"], "errorCode": code})


@pytest.mark.parametrize("code, times, lines", [(13, "alwaysOn", 1), (91, {"times": 1}, 0)])
def test_a_find_fails(client, db, w, code, times, lines):
    """Refused (13): one line, and the server looks up. A fault that passes (91): again. Nothing is lost or told twice."""
    name = f"fails{code}"
    client[name].t.insert_many([{"_id": i, "v": 0} for i in range(5)])
    token = prepare(w, db, client, name)
    client[name].t.insert_one({"_id": 5, "v": 0})
    client[name].t.update_many({}, {"$inc": {"v": 1}})
    want = [(op, doc) for op, _, doc in looked_up(client, token, name, 7)]
    before = w.log().count("the documents of updates are looked up by the server from now on")
    fail_finds(client, code, times)
    try:
        w.rest("PUT", f"/connectors/{name}/resume")
        assert told(w, f"{name}.{name}.t", 7) == want
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert w.log().count("the documents of updates are looked up by the server from now on") == before + lines
    client[name].t.update_one({"_id": 1}, {"$inc": {"v": 1}})
    assert told(w, f"{name}.{name}.t", 8) == want + [("u", {"_id": 1, "v": 2})]
    w.rest("DELETE", f"/connectors/{name}")


def test_a_pipeline_of_the_users_sees_the_document(client, db, w):
    client.pipe.t.insert_many([{"_id": i, "v": i} for i in range(4)])
    prepare(w, db, client, "pipe", cursor_pipeline='[{$match: {"fullDocument.v": {$gte: 3}}}]')
    client.pipe.t.update_many({}, {"$inc": {"v": 1}})
    w.rest("PUT", "/connectors/pipe/resume")
    assert told(w, "pipe.pipe.t", 2) == [("u", {"_id": 2, "v": 3}), ("u", {"_id": 3, "v": 4})]
