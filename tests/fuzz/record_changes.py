#!/usr/bin/env python3
"""Records the change events of a real MongoDB server as seeds of fuzz_change: tests/fuzz/record_changes.py

Each file is a byte of choices (0: see fuzz_change.c) and the events of one case, as the server sent them. Servers before 6.0.9
cannot split events: the fragments are an event of the server, cut as one that can would cut it. Needs the packages of the live tests
(build/venv/bin/python)."""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))
import bson  # noqa: E402
from bson.codec_options import CodecOptions  # noqa: E402
from bson.raw_bson import RawBSONDocument  # noqa: E402

from mongo import mongo  # noqa: E402

CORPUS = os.path.join(HERE, "corpus", "change")
RAW = CodecOptions(document_class=RawBSONDocument)


def every_type():
    return {
        "double": 1.5, "nan": float("nan"), "tiny": 5e-324, "text": "김철수 😀 \u0301", "document": {"a": {"b": 1, "c": 2}}, "array": [1, [2], {"x": 3}],
        "binary": bson.Binary(b"\0\1\2", 5), "uuid": bson.Binary(bytes(range(16)), 4), "oid": bson.ObjectId("0123456789abcdef01234567"),
        "yes": True, "null": None, "regex": bson.Regex("^a.b$", "im"), "code": bson.Code("f()"), "scope": bson.Code("f()", {"x": {"y": 1}}),
        "int": 5, "long": bson.Int64(5), "timestamp": bson.Timestamp(1700000000, 3), "decimal": bson.Decimal128("1E+3"), "min": bson.MinKey(),
        "max": bson.MaxKey(), "date": bson.datetime_ms.DatetimeMS(1500460632310), "far": bson.datetime_ms.DatetimeMS(1 << 60)}


def kinds(client):
    """Each yields a name and the events that came since the last one."""
    c = client.f.customers
    c.insert_one({"_id": 1, "name": "Sally", "n": bson.Int64(5), "tags": ["a", "b", "c", "d"], "items": [{"cost": 1, "q": 2}, {"cost": 3}], "a": {"b": 1, "c": 2}})
    yield "insert"
    c.insert_one({"_id": {"company": 32, "dept": "home"}, **every_type()})
    yield "insert-types"
    c.update_one({"_id": 1}, {"$set": {"name": "Anne", "a.c": 7, "items.0.cost": 9}, "$unset": {"n": 1, "items.1.cost": 1}})
    yield "update"
    c.update_one({"_id": 1}, [{"$set": {"tags": {"$slice": ["$tags", 2]}, "items": {"$slice": ["$items", 1]}}}])
    yield "update-truncated"
    c.update_one({"_id": 1}, {"$set": {"tags": list(range(40))}})
    yield "update-array"
    c.replace_one({"_id": 1}, {"z": 1, "name": "Bob"})
    yield "replace"
    c.delete_one({"_id": 1})
    yield "delete"
    with client.start_session() as s, s.start_transaction():
        c.insert_one({"_id": 2, "name": "in a transaction"}, session=s)
        c.update_one({"_id": 2}, {"$set": {"n": 1}}, session=s)
        client.f["a.b c\"d"].insert_one({"_id": "x\"y"}, session=s)
        c.delete_one({"_id": 2}, session=s)
    yield "transaction"
    client.f.create_collection("new")
    client.f.new.create_index("k")
    yield "create"
    client.f.new.rename("renamed")
    yield "rename"
    client.f.renamed.drop()
    yield "drop"
    client.drop_database("f")
    yield "drop-database"


def write(name, events):
    assert events, name
    with open(os.path.join(CORPUS, name), "wb") as f:
        f.write(b"\0" + b"".join(events))
    print(f"{name}: {len(events)} events")


def arrived(stream, count=1):
    """What the stream has; waits for the first ones, and for its end (an invalidate) not at all."""
    found, until = [], time.monotonic() + 5
    while time.monotonic() < until:
        event = stream.try_next()
        if event is not None:
            found.append(event.raw)
        elif len(found) >= count or not stream.alive:
            break
    return found


def fragments(event):
    """The members of an event in three documents, the way $changeStreamSplitLargeEvent cuts it."""
    members = list(event.items())
    parts = [members[1:3], members[3:-2], members[-2:]]
    return [bson.encode({"_id": event["_id"], "splitEvent": {"fragment": i + 1, "of": len(parts)}, **dict(part)}) for i, part in enumerate(parts)]


def main():
    os.makedirs(CORPUS, exist_ok=True)
    with mongo() as server, server.client(w="majority") as client:
        def images(name):
            client.f.create_collection(name, changeStreamPreAndPostImages={"enabled": True})
        images("customers")
        images("a.b c\"d")
        options = dict(full_document="updateLookup", full_document_before_change="whenAvailable", max_await_time_ms=300)
        with client.get_database("f", codec_options=RAW).watch(show_expanded_events=True, **options) as stream:
            for name in kinds(client):
                found = arrived(stream)
                write(name, found)
                if name == "update":
                    pieces = fragments(bson.decode(found[0]))
                    write("split", pieces)
                    write("split-gap", [pieces[0], pieces[2]])
                    write("split-cut", [pieces[0], pieces[0], *pieces[1:], pieces[1]])
        images("customers")
        with client.get_database("f", codec_options=RAW).customers.watch(**options) as stream:
            client.f.customers.insert_one({"_id": 1})
            client.f.customers.update_one({"_id": 1}, {"$set": {"n": 1}})
            client.f.customers.drop()
            write("invalidate", arrived(stream, 4))
    largest = max(os.path.getsize(os.path.join(CORPUS, x)) for x in os.listdir(CORPUS))
    print(f"the largest has {largest} bytes")


if __name__ == "__main__":
    main()
