"""A load of changes on collections, and what their events must be: field v counts the changes of a document, so that a gap
shows. Updates are judged by updateDescription: the document beside it may be a later one."""
import collections
import json
import random
import threading
import time

import pymongo

from kafka_io import events
from weirproc import wait_until


class MongoChanges(threading.Thread):
    """Inserts, updates and deletes on all collections; goes on when the server comes back."""

    def __init__(self, server, database, names=("t",), pause=0.002):
        super().__init__(daemon=True)
        self.server, self.database, self.names, self.pause = server, database, names, pause
        self.done, self.count, self.rows = threading.Event(), 0, {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()

    def run(self):
        last = 0
        while not self.done.is_set():
            try:
                with self.server.client(w="majority", wTimeoutMS=20000, retryWrites=False, readConcernLevel="majority") as client:
                    db = client[self.database]
                    for t in self.names:  # what became of the write that was cut off
                        self.rows[t] = {d["_id"]: d["v"] for d in db[t].find({}, {"v": 1})}
                        last = max([last, *self.rows[t]])
                    while not self.done.is_set():
                        for _ in range(random.randint(1, 5)):
                            last = self.change(db, last)
                        time.sleep(self.pause)
            except pymongo.errors.PyMongoError:
                time.sleep(0.05)

    def change(self, db, last):
        t = random.choice(self.names)
        rows, kind = self.rows[t], random.random()
        if kind < 0.4 or not rows:
            last += 1
            db[t].insert_one({"_id": last, "v": 1, "pad": "a" * random.randint(0, 300)})
            rows[last] = 1
        elif kind < 0.9:
            key = random.choice(list(rows))
            db[t].update_one({"_id": key}, {"$inc": {"v": 1}})
            rows[key] += 1
        else:
            key = random.choice(list(rows))
            db[t].delete_one({"_id": key})
            del rows[key]
        self.count += 1
        return last


def version(value):
    """v as the event itself tells it."""
    if value["op"] == "u":
        return json.loads(value["updateDescription"]["updatedFields"])["v"]
    return json.loads(value["after"])["v"]


def fold(found):
    """The documents as a consumer has them that applies all events."""
    state = {}
    for key, value in found:
        if value and value["op"] == "d":
            state.pop(int(key["id"]), None)
        elif value:
            state[int(key["id"])] = version(value)
    return state


def arrive(weir, topic, server, database, name="t", timeout=120):
    """All events, once they give what the collection has (and it is at rest)."""
    with server.client() as client:
        rows = {d["_id"]: d["v"] for d in client[database][name].find({}, {"v": 1})}

    def complete():
        found = events(weir.bootstrap, topic, timeout=60)
        return found if fold(found) == rows else None
    return wait_until(complete, timeout, 0.5)


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
