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


# --- values -------------------------------------------------------------------------------------

LEVELS = 178  # below the document itself and its field: the server takes no more


def nested(kind, name):
    inner = doc(int32(b"0", 1))
    for _ in range(LEVELS):
        inner = doc(el(kind, b"0", inner))
    return el(kind, name, inner)


DEEP = '{"0": ' * (LEVELS + 1) + "1" + "}" * (LEVELS + 1)
DEEP_ARRAY = "[" * (LEVELS + 1) + "1" + "]" * (LEVELS + 1)
NUMBERS = list(range(100000))

# Members of a document; how records tell them (strict); what ExtractNewDocumentState makes of them, None: it refuses them.
VALUES = {
    "undefined": ([el(6, b"v")], '"v": {"$undefined": true}', {}),
    "pointer": ([pointer(b"v", b"d.c")], '"v": {"$ref": "d.c","$id": {"$oid": "313233343536373839303132"}}', {"v": {"$ref": "d.c", "$id": "313233343536373839303132"}}),
    "symbol": ([el(0xe, b"v", text(b"s\xff"))], '"v": {"$symbol": "s\ufffd"}', {}),
    "code": ([el(0xd, b"v", text(b"f()"))], '"v": {"$code": "f()"}', {"v": "f()"}),
    "scope": ([scope(b"v", b"f()", int32(b"x", 1))], '"v": {"$code": "f()","$scope": {"x": 1}}', {"v": {"code": "f()", "scope": {"x": 1}}}),
    "least": ([el(0xff, b"v"), el(0x7f, b"w")], '"v": {"$minKey": 1},"w": {"$maxKey": 1}', {}),
    "decimals": ([decimal(b"v", 0x7c00000000000012, 5), decimal(b"w", 0xfe00000000000012, 1), decimal(b"x", 0xf800000000000000, 0), decimal(b"y", 0x6c10000000000000, 5)],
                 '"v": {"$numberDecimal": "NaN"},"w": {"$numberDecimal": "NaN"},"x": {"$numberDecimal": "-Infinity"},"y": {"$numberDecimal": "0"}',
                 {"v": "NaN", "w": "NaN", "x": "-Infinity", "y": "0"}),
    "decimal of 35 digits": ([decimal(b"v", 0x3041ed09bead87c0, 0x378d8e6400000001)], '"v": {"$numberDecimal": "10000000000000000000000000000000001"}', None),
    "dates": ([date(b"v", -2 ** 63), date(b"w", 2 ** 63 - 1)], f'"v": {{"$date": {-2 ** 63}}},"w": {{"$date": {2 ** 63 - 1}}}', {"v": -2 ** 63, "w": 2 ** 63 - 1}),
    "timestamp": ([el(0x11, b"v", b"\xff" * 8)], '"v": {"$timestamp": {"t": 4294967295,"i": 4294967295}}', {"v": 4294967295000}),
    "regex": ([el(0xb, b"v", b"a\xff/\0zxi\0")], '"v": {"$regex": "a\ufffd/","$options": "ixz"}', {"v": {"regex": "a\ufffd/", "options": "ixz"}}),
    "binaries": ([binary(b"v", 2, b"\4\0\0\0abcd"), binary(b"w", 2, b"\t"), binary(b"x", 255, b"")],
                 '"v": {"$binary": "YWJjZA==","$type": "02"},"w": {"$binary": "CQ==","$type": "02"},"x": {"$binary": "","$type": "FF"}', {"v": "YWJjZA==", "w": "CQ==", "x": ""}),
    "doubles": ([double(b"v", float("nan")), double(b"w", float("-inf")), double(b"x", -0.0), double(b"y", 5e-324)], '"v": NaN,"w": -Infinity,"x": -0.0,"y": 4.9E-324',
                {"v": "NaN", "w": "-Infinity", "x": 0.0, "y": 5e-324}),
    "not UTF-8": ([string(b"v", b"a\xff\xed\xa0\x80\xf0(z"), int32(b"k\xff", 1)], '"v": "a\ufffd\ufffd\ufffd(z","k\ufffd": 1', {"v": "a\ufffd\ufffd\ufffd(z", "k\ufffd": 1}),
    "a 0": ([string(b"v", b"a\0b")], '"v": "a\\u0000b"', {"v": "a\0b"}),
    "twice": ([int32(b"v", 1), string(b"v", b"two")], '"v": 1,"v": "two"', {"v": "two"}),
    "twice a document": ([sub(b"v", int32(b"a", 1)), int32(b"w", 3), sub(b"v", int32(b"b", 2))], '"v": {"a": 1},"w": 3,"v": {"b": 2}', {"v": {"b": 2}, "w": 3}),
    "names": ([int32(b"", 1), int32(b"a.b", 2), sub(b"$c", int32(b"$d.e", 3))], '"": 1,"a.b": 2,"$c": {"$d.e": 3}', {"": 1, "a.b": 2, "$c": {"$d.e": 3}}),
    "a document like an id": ([sub(b"v", string(b"$oid", b"596e275826f08b2730779e1f"))], '"v": {"$oid": "596e275826f08b2730779e1f"}', {"v": "596e275826f08b2730779e1f"}),
    "a document like a broken id": ([sub(b"v", string(b"$oid", b"xyz"))], '"v": {"$oid": "xyz"}', None),
    "a document like a broken date": ([sub(b"v", string(b"$date", b"never"))], '"v": {"$date": "never"}', None),
    "mixed": ([array(b"v", int32(b"0", 1), string(b"1", b"x"), sub(b"2"))], '"v": [1,"x",{}]', None),
    "unlike documents": ([array(b"v", sub(b"0", sub(b"a", array(b"x", int32(b"0", 1)))), sub(b"1", sub(b"a", sub(b"x", int32(b"p", 1)))))],
                         '"v": [{"a": {"x": [1]}},{"a": {"x": {"p": 1}}}]', None),
    "unlike code": ([array(b"v", sub(b"0", sub(b"a", scope(b"x", b"f()"))), sub(b"1", sub(b"a", sub(b"x", int32(b"p", 1)))))],
                    '"v": [{"a": {"x": {"$code": "f()","$scope": {}}}},{"a": {"x": {"p": 1}}}]', None),
    "indexes": ([array(b"v", int32(b"7", 1), int32(b"x", 2))], '"v": [1,2]', {"v": [1, 2]}),
    "empty": ([array(b"v"), sub(b"w"), array(b"x", el(10, b"0"))], '"v": [],"w": {},"x": [null]', {"v": [], "w": {}, "x": [None]}),
    "deep": ([nested(3, b"v")], f'"v": {DEEP}', {"v": json.loads(DEEP)}),
    "deep arrays": ([nested(4, b"v")], f'"v": {DEEP_ARRAY}', {"v": json.loads(DEEP_ARRAY)}),
    "long": ([array(b"v", *[int32(b"%d" % i, i) for i in NUMBERS])], f'"v": [{",".join(map(str, NUMBERS))}]', {"v": NUMBERS}),
}
UNWRAP = {"transforms": "u", "transforms.u.type": "io.debezium.connector.mongodb.transforms.ExtractNewDocumentState"}
STRING = {"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter"}


def documents(names):
    return [doc(string(b"_id", n.encode()), *VALUES[n][0]) for n in names]


def told(name):
    return f'{{"_id": "{name}",{VALUES[name][1]}}}'


def test_values(db, client):
    """Snapshot, insert and update, as text and as values."""
    names = list(VALUES)
    with Wire(db) as wire, Weir() as w:
        wire.insert(b"v", b"read", *documents(names))
        start(w, db, "v")
        w.create_connector("vs", {**db.connector("vs", database_include_list="v"), **STRING})
        wait_until(lambda: "Reading change stream connector=vs " in w.log())
        wire.insert(b"v", b"streamed", *documents(names))
        for n in names:
            wire.update(b"v", b"streamed", string(b"_id", n.encode()), int32(b"u", 1))
        wire.update(b"v", b"streamed", string(b"_id", b"code"), nested(3, b"w"), string(b"not\xff", b"\xfe"))
        read = dict((json.loads(k["id"]), v) for k, v in events(w.bootstrap, "v.v.read", len(names)))
        streamed = [(json.loads(k["id"]), v) for k, v in events(w.bootstrap, "v.v.streamed", 2 * len(names) + 1)]
        inserts, updates = streamed[:len(names)], streamed[len(names):-1]
        assert [k for k, _ in inserts] == [k for k, _ in updates] == names and set(read) == set(names)
        for (n, c), (_, u) in zip(inserts, updates):
            assert (read[n]["op"], read[n]["after"]) == ("r", told(n)), n
            assert (c["op"], c["after"]) == ("c", told(n)), n
            assert u["op"] == "u" and u["updateDescription"]["updatedFields"] == '{"u": 1}', n
            assert u["after"].startswith(told(n)[:-1] + ',"u": 1'), n  # of code it may be the later one
        assert streamed[-1][1]["updateDescription"]["updatedFields"] == '{"not\ufffd": "\ufffd", "w": ' + DEEP + "}"
        for topic, op in (("vs.v.read", "r"), ("vs.v.streamed", "c")):
            found = {m.key().decode(): m.value().decode() for m in read_all(w.bootstrap, topic, len(names))[:len(names)]}
            for n in names:
                value = found[f'Struct{{id="{n}"}}']
                assert value.startswith(f"Struct{{after={told(n)},source=") and f",op={op}," in value, n
        w.wait_running("v")
        w.wait_running("vs")


def test_values_as_structs(db, client):
    """ExtractNewDocumentState: what it takes, from a snapshot and from a stream."""
    names = [n for n, (_, _, struct_) in VALUES.items() if struct_ is not None]
    with Wire(db) as wire, Weir() as w:
        wire.insert(b"w", b"read", *documents(names))
        start(w, db, "w", **UNWRAP)
        wire.insert(b"w", b"streamed", *documents(names))
        for topic in ("w.w.read", "w.w.streamed"):
            found = {v["_id"]: v for _, v in events(w.bootstrap, topic, len(names))}
            for n in names:
                assert found[n] == {"_id": n, **VALUES[n][2]}, n
        w.wait_running("w")


@pytest.mark.parametrize("name", [n for n, (_, _, struct_) in VALUES.items() if struct_ is None])
def test_values_that_are_no_structs(db, client, name):
    """The task says which document it is and what to do; with errors.tolerance=all it goes on."""
    with Wire(db) as wire, Weir() as w:
        client.drop_database("x")
        wire.insert(b"x", b"c", *documents([name]), doc(string(b"_id", b"good")))
        w.create_connector("x", {**db.connector("x", database_include_list="x"), **UNWRAP})
        trace = wait_until(lambda: failed(w, "x"))
        assert f'the record with the key "{name}" for the topic x.x.c' in trace
        assert ("array.encoding=document" if name == "mixed" or name.startswith("unlike") else "errors.tolerance=all") in trace
        w.create_connector("y", {**db.connector("y", database_include_list="x"), **UNWRAP, "errors.tolerance": "all"})
        assert [v["_id"] for _, v in events(w.bootstrap, "y.x.c", 1)] == ["good"]
        w.wait_running("y")


def test_outbox(db, client):
    """MongoEventRouter: the payload's text has each kind of value."""
    names = [n for n, (_, _, struct_) in VALUES.items() if struct_ is not None]
    with Wire(db) as wire, Weir() as w:
        start(w, db, "o", snapshot_mode="no_data", transforms="r", **{"transforms.r.type": "io.debezium.connector.mongodb.transforms.outbox.MongoEventRouter"})
        wire.insert(b"o", b"outbox", *[doc(string(b"_id", n.encode()), string(b"aggregatetype", b"t"), string(b"aggregateid", n.encode()), string(b"type", b"made"),
                                           sub(b"payload", *VALUES[n][0])) for n in names if not n.startswith("deep")])
        found = {json.loads(m.key()): json.loads(json.loads(m.value())) for m in read_all(w.bootstrap, "outbox.event.t", len(names) - 2)}
        assert found["long"] == {"v": [{"$numberInt": str(i)} for i in NUMBERS]}
        assert found["twice"] == {"v": "two"} and found["not UTF-8"] == {"v": "a\ufffd\ufffd\ufffd(z", "k\ufffd": {"$numberInt": "1"}}
        assert found["dates"] == {"v": {"$date": {"$numberLong": str(-2 ** 63)}}, "w": {"$date": {"$numberLong": str(2 ** 63 - 1)}}}
        w.wait_running("o")


def test_names_that_are_not_utf8(db, client):
    """Of a database and a collection: a snapshot tells them as UTF-8. The server has no change events of them; those of others come,
    whatever the lists are."""
    for name in client.list_database_names():
        if name not in ("admin", "local", "config"):
            client.drop_database(name)
    with Wire(db) as wire, Weir() as w:
        wire.insert(b"n\xff", b"c\xfe", doc(int32(b"_id", 1)))
        w.create_connector("patterns", db.connector("patterns", database_include_list="other", snapshot_mode="no_data"))
        w.create_connector("n", db.connector("n", filters_match_mode="literal"))
        for name in ("patterns", "n"):
            wait_until(lambda: f"Reading change stream connector={name} " in w.log())
        wire.insert(b"n\xff", b"c\xfe", doc(int32(b"_id", 2)))
        client.other.c.insert_one({"_id": 3})
        found = [(v["op"], v["source"]["db"], v["source"]["collection"]) for _, v in events(w.bootstrap, "n.n_.c_", 1)]
        assert found == [("r", "n\ufffd", "c\ufffd")]
        for topic in ("n.other.c", "patterns.other.c"):
            assert [k["id"] for k, _ in events(w.bootstrap, topic, 1)] == ["3"]
        wire.command(b"n\xff", int32(b"dropDatabase", 1))
        w.wait_running("n")


# --- size ---------------------------------------------------------------------------------------

def test_documents_of_16_megabytes(db, client):
    """As read and as inserted, also where their text is longer than they are."""
    with Weir() as w:
        client.big.c.insert_one({"_id": 1, "v": "x" * 16_700_000})
        start(w, db, "big")
        client.big.c.insert_one({"_id": 2, "v": [bson.Int64(5)] * 1_000_000})
        one, two = events(w.bootstrap, "big.big.c", 2)
        assert json.loads(one[1]["after"]) == {"_id": 1, "v": "x" * 16_700_000}
        assert len(json.loads(two[1]["after"])["v"]) == 1_000_000
        client.big.c.drop()
        peak = [int(x.split()[1]) for x in open(f"/proc/{w.process.pid}/status") if x.startswith("VmHWM")][0]
        assert peak < 1_500_000, f"{peak} kB"
        w.wait_running("big")


def oversize(client, name):
    """A change whose event is larger than the server makes one, between two others."""
    client[name].c.insert_one({"_id": 1})
    client[name].large.insert_one({"_id": 2, "v": "x" * 9_000_000})
    client[name].large.replace_one({"_id": 2}, {"v": "y" * 9_000_000})
    client[name].c.insert_one({"_id": 3})


@pytest.mark.parametrize("mode", ["fail", "skip", "split"])
def test_an_event_that_is_too_large(db, client, mode):
    name = "over" + mode
    client[name].create_collection("large", changeStreamPreAndPostImages={"enabled": True})
    config = db.connector(name, database_include_list=name, capture_mode="change_streams_update_full_with_pre_image", cursor_oversize_handling_mode=mode)
    if mode == "skip":
        config["cursor.oversize.skip.threshold"] = "8000000"
    with Weir() as w:
        w.create_connector(name, config)
        if mode == "split":  # this server cannot
            assert "cursor.oversize.handling.mode=split needs MongoDB 7.0 or newer" in wait_until(lambda: failed(w, name))
            return
        wait_until(lambda: "Reading change stream" in w.log())
        wait_until(lambda: w.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"])
        oversize(client, name)
        if mode == "skip":
            assert [k["id"] for k, _ in events(w.bootstrap, f"{name}.{name}.c", 2)] == ["1", "3"]
            w.wait_running(name)
            return
        trace = wait_until(lambda: failed(w, name))
        assert "BSONObjectTooLarge" in trace and "set cursor.oversize.handling.mode to split (MongoDB 7.0 and newer) or to skip" in trace
        assert [k["id"] for k, _ in events(w.bootstrap, f"{name}.{name}.large", 1)] == ["2"]  # what came before is told
        config.update({"cursor.oversize.handling.mode": "skip", "cursor.oversize.skip.threshold": "8000000"})
        assert w.rest("PUT", f"/connectors/{name}/config", config)[0] == 200
        assert [k["id"] for k, _ in events(w.bootstrap, f"{name}.{name}.c", 2)] == ["1", "3"]
        w.wait_running(name)
