"""A load of changes on collections, and what their events must be. Updates are judged by updateDescription: the document beside
it may be a later one."""
import collections
import contextlib
import json
import random

import pymongo

from change_load import ChangeLoad, arrive_at, fold_events


class MongoChanges(ChangeLoad):
    faults = pymongo.errors.PyMongoError

    @contextlib.contextmanager
    def session(self):
        with self.server.client(w="majority", wTimeoutMS=20000, retryWrites=False, readConcernLevel="majority") as client:
            yield client[self.database]

    def rows_of(self, db, name):
        return {d["_id"]: d["v"] for d in db[name].find({}, {"v": 1})}

    def transaction(self, db):
        for _ in range(random.randint(1, 5)):
            self.change(db)

    def insert(self, db, name, key):
        db[name].insert_one({"_id": key, "v": 1, "pad": "a" * random.randint(0, 300)})

    def update(self, db, name, key):
        db[name].update_one({"_id": key}, {"$inc": {"v": 1}})

    def delete(self, db, name, key):
        db[name].delete_one({"_id": key})


def version(value):
    """v as the event itself tells it."""
    if value["op"] == "u":
        return json.loads(value["updateDescription"]["updatedFields"])["v"]
    return json.loads(value["after"])["v"]


def fold(found):
    return fold_events(found, version)


def arrive(weir, topic, server, database, name="t", timeout=120):
    """All events, once they give what the collection has (and it is at rest)."""
    with server.client() as client:
        rows = {d["_id"]: d["v"] for d in client[database][name].find({}, {"v": 1})}
    return arrive_at(weir, topic, rows, version, timeout)


def check(found):
    """Every change of every document is there, and none twice but by a snapshot. A snapshot reads documents as they are then,
    and the stream from before it tells again what happened meanwhile."""
    seen, read = collections.defaultdict(int), {}
    for key, value in found:
        if value is None:
            continue
        if value["op"] == "r":
            read[key["id"]] = max(version(value), read.get(key["id"], 0))
            continue
        if value["op"] == "d":
            seen.pop(key["id"], None)
            read.pop(key["id"], None)
            continue
        v = version(value)
        before = seen.get(key["id"])
        if before is not None:
            assert v > before, f"document {key}: {v} came twice"
            assert v == before + 1, f"document {key}: after {before} comes {v}"
        elif key["id"] in read:
            assert v <= read[key["id"]] + 1, f"document {key}: after the snapshot's {read[key['id']]} comes {v}"
        else:
            assert v == 1, f"document {key} begins with {v}"
        seen[key["id"]] = v


def never_back(found):
    """No read of an incremental snapshot comes behind a newer change of its document."""
    newest, reads = {}, 0
    for key, value in found:
        if value is None:
            continue
        if value["op"] == "r":
            reads += 1
            v = version(value)
            assert newest.get(key["id"], 0) <= v, f"{key}: read {v} after {newest[key['id']]}"
        else:
            newest[key["id"]] = 1 << 30 if value["op"] == "d" else version(value)
    assert reads > 1000
