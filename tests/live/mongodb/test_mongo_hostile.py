"""Documents that the server stores and hardly anybody expects: every kind of value, names and texts that are not UTF-8, depth, size,
odd keys. What comes is right, or the task fails and says why and what to do; weir itself goes on.

Drivers refuse most of them, so documents are written byte by byte and go to the server in its own protocol."""
import json
import socket
import struct

import bson
import pytest

from kafka_io import events, read_all
from mongo import mongo
from weirproc import Weir, wait_until

pytestmark = pytest.mark.sanitizer


@pytest.fixture(scope="module")
def db():
    with mongo() as server:
        yield server


@pytest.fixture
def client(db):
    with db.client(w="majority") as c:
        yield c


# --- bytes --------------------------------------------------------------------------------------

def el(kind, name, body=b""):
    return bytes([kind]) + name + b"\0" + body


def doc(*members):
    body = b"".join(members)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def text(s):
    return struct.pack("<i", len(s) + 1) + s + b"\0"


def string(name, s):
    return el(2, name, text(s))


def sub(name, *members):
    return el(3, name, doc(*members))


def array(name, *members):
    return el(4, name, doc(*members))


def int32(name, v):
    return el(0x10, name, struct.pack("<i", v))


def int64(name, v):
    return el(0x12, name, struct.pack("<q", v))


def double(name, v):
    return el(1, name, struct.pack("<d", v))


def date(name, ms):
    return el(9, name, struct.pack("<q", ms))


def decimal(name, high, low):
    return el(0x13, name, struct.pack("<QQ", low, high))


def binary(name, subtype, data):
    return el(5, name, struct.pack("<iB", len(data), subtype) + data)


def scope(name, code, *members):
    body = text(code) + doc(*members)
    return el(0xf, name, struct.pack("<i", len(body) + 4) + body)


def pointer(name, to):
    return el(0xc, name, text(to) + b"123456789012")


class Wire:
    """The server's protocol: one command, one answer."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, count):
        out = b""
        while len(out) < count:
            piece = self.socket.recv(count - len(out))
            assert piece, "the server closed the connection"
            out += piece
        return out

    def command(self, database, *members):
        concern = sub(b"writeConcern", string(b"w", b"majority"))
        body = b"\0\0\0\0\0" + doc(*members, string(b"$db", database), concern)
        self.socket.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body)
        answer = self.read(struct.unpack("<i", self.read(4))[0] - 4)[17:]
        assert b"errmsg" not in answer, answer
        return answer

    def insert(self, database, coll, *documents):
        self.command(database, string(b"insert", coll), array(b"documents", *[el(3, b"%d" % i, d) for i, d in enumerate(documents)]))

    def update(self, database, coll, key, *members):
        """key: the member `_id`; members: what is set."""
        change = sub(b"0", sub(b"q", key), sub(b"u", sub(b"$set", *members)))
        self.command(database, string(b"update", coll), array(b"updates", change))


# --- weir ---------------------------------------------------------------------------------------

def failed(w, name):
    status = w.rest("GET", f"/connectors/{name}/status")[1]
    return status["tasks"][0]["trace"] if status["tasks"] and status["tasks"][0]["state"] == "FAILED" else None


def start(w, db, name, **extra):
    """A connector of its database's; returns once its stream is open."""
    w.create_connector(name, db.connector(name, database_include_list=name, **extra))
    wait_until(lambda: f"Reading change stream connector={name} " in w.log() or failed(w, name))
    assert not failed(w, name)
    wait_until(lambda: w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"])


# --- keys ---------------------------------------------------------------------------------------

def keys_of_all_kinds():
    return [el(0xa, b"_id"), double(b"_id", float("nan")), double(b"_id", float("-inf")), int32(b"_id", 5), int64(b"_id", 2 ** 60 + 1), double(b"_id", 2.5),
            string(b"_id", b"x" * 30000), string(b"_id", b""), string(b"_id", b"a\0b"), binary(b"_id", 0, b"\0\1"), binary(b"_id", 128, b"q"),
            binary(b"_id", 4, bytes(range(16))), binary(b"_id", 2, b"\1\0\0\0q"), decimal(b"_id", 0x3040000000000000, 7), decimal(b"_id", 0x7800000000000000, 0),
            el(0xff, b"_id"), el(0x7f, b"_id"), el(8, b"_id", b"\1"), date(b"_id", -2 ** 63), date(b"_id", 2 ** 63 - 1), el(0x11, b"_id", b"\xff" * 8),
            el(7, b"_id", b"123456789012"), sub(b"_id"), sub(b"_id", int32(b"a", 1)), sub(b"_id", int64(b"a", 1), double(b"b", 5)), sub(b"_id", int32(b"", 1)),
            sub(b"_id", string(b"$ref", b"c"), int32(b"$id", 1)), el(0xd, b"_id", text(b"f()")), pointer(b"_id", b"d.c"), el(0xe, b"_id", text(b"sym"))]


def keys_that_are_not_utf8():
    """In the order of their bytes, each reads as U+FFFD where it is broken: two are alike as texts, others sort elsewhere as such."""
    return [string(b"_id", x) for x in (b"a", b"\x80", b"\xc3\xa9", b"\xf0(", b"\xf0)", b"\xf0\x9f\x98\x80", b"\xfe", b"\xff", b"z")] + [
        sub(b"_id", string(b"x", b"\xff")), sub(b"_id", int32(b"k\xff", 1))]


@pytest.mark.parametrize("keys, chunk", [(keys_of_all_kinds, 2), (keys_of_all_kinds, 1000), (keys_that_are_not_utf8, 1), (keys_that_are_not_utf8, 1000)])
def test_incremental_snapshot(db, client, keys, chunk):
    """Each document once, and none of those that the chunks meet again and again."""
    name = f"i{chunk}{keys.__name__[-4:]}"
    with Wire(db) as wire, Weir() as w:
        wire.insert(name.encode(), b"c", *[doc(k, int32(b"v", i)) for i, k in enumerate(keys())])
        client[name].signals.insert_one({"_id": 0})
        start(w, db, name, snapshot_mode="no_data", signal_data_collection=f"{name}.signals", incremental_snapshot_chunk_size=chunk)
        client[name].signals.insert_one({"_id": 1, "type": "execute-snapshot", "data": {"data-collections": [f"{name}.c"], "type": "incremental"}})
        wait_until(lambda: f"Incremental snapshot of '{name}.c' ended after {len(keys())} rows: SUCCEEDED" in w.log(), 20)
        found = [json.loads(v["after"].replace("NaN", "0"))["v"] for _, v in events(w.bootstrap, f"{name}.{name}.c", len(keys()))]
        assert sorted(found) == list(range(len(keys())))
        w.wait_running(name)


def test_a_long_key(db, client):
    """The position behind its event has it in it, and is read again at the next start."""
    with Weir() as w:
        start(w, db, "long", snapshot_mode="no_data")
        client.long.c.insert_one({"_id": "x" * 200000})
        read_all(w.bootstrap, "long.long.c", 1)
        wait_until(lambda: len(str(w.rest("GET", "/connectors/long/offsets")[1])) > 400000)
        w.stop()
        w.start()
        client.long.c.insert_one({"_id": 1})
        assert events(w.bootstrap, "long.long.c", 2)[1][0] == {"id": "1"}
        w.wait_running("long")
