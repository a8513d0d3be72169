"""Rows whose images leave columns out (binlog_row_image=MINIMAL): what is missing is read from the table, however the session for it fares."""
import contextlib
import hashlib
import itertools
import threading
import time

import pytest

from kafka_io import events
from weirproc import wait_until

NUMBERS = itertools.count(1)


@pytest.fixture(params=["mariadb", "mysql"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def capture(server, weir):
    def start(tables, **options):
        name = f"lean{next(NUMBERS)}"
        server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name} CHARACTER SET utf8mb4;\nUSE {name};\n{tables}")
        weir.create_connector(name, server.connector(name, database_include_list=name, **options))
        weir.wait_running(name)
        wait_until(lambda: "Connected to binlog" in weir.log())
        return name
    return start


@contextlib.contextmanager
def minimal(server, name):
    """A cursor whose statements leave columns out."""
    with contextlib.closing(server.client(name)) as c, c.cursor() as cursor:
        cursor.execute("SET SESSION binlog_row_image = MINIMAL")
        yield cursor


def test_rules_on_key_columns(server, weir, capture):
    """A rule changes what the value shows, not which row is meant: an update stays one, and its row is found."""
    table = "(name VARCHAR(40), id INT, v INT, w VARCHAR(9), PRIMARY KEY (name, id))"
    name = capture(f"CREATE TABLE masked {table};\nCREATE TABLE hashed {table};\nCREATE TABLE cut {table}", **{
        "column.mask.with.3.chars": r".*\.masked\.name", "column.mask.hash.v2.SHA-256.with.salt.s": r".*\.hashed\.name",
        "column.truncate.to.2.chars": r".*\.cut\.name"})
    shown = {}
    for t in ("masked", "hashed", "cut"):
        server.sql(f"INSERT INTO {name}.{t} VALUES ('o''ne', 1, 1, 'wide'), ('two', 2, 1, 'wide')")
        with minimal(server, name) as cursor:
            cursor.execute(f"UPDATE {t} SET v = v + 1 ORDER BY id")
        found = events(weir.bootstrap, f"{name}.{name}.{t}", 4)
        assert [k for k, _ in found] == [{"name": "o'ne", "id": 1}, {"name": "two", "id": 2}] * 2
        assert [v["op"] for _, v in found] == ["c", "c", "u", "u"]
        assert [(v["after"]["v"], v["after"]["w"]) for _, v in found[2:]] == [(2, "wide")] * 2
        shown[t] = [v["after"]["name"] for _, v in found]
        assert shown[t][:2] == shown[t][2:]
    assert shown["masked"][:2] == ["***", "***"] and shown["cut"][:2] == ["o'", "tw"]
    assert shown["hashed"][1] == hashlib.sha256(b"stwo").hexdigest()[:40]


def test_sessions_are_killed_while_rows_are_asked_for(server, weir, capture):
    """Each row is told once, with all of its columns, however often the session that asks for them dies."""
    count, rounds = 700, 6
    name = capture("CREATE TABLE t (id INT PRIMARY KEY, v INT, w VARCHAR(20))")
    server.sql(f"INSERT INTO {name}.t VALUES " + ", ".join(f"({i}, 0, 'w{i}')" for i in range(count)))
    done = threading.Event()

    def kill():
        killed = 0
        with contextlib.closing(server.client()) as c, c.cursor() as cursor:
            while not done.is_set() and killed < 15:
                cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'debezium' AND command NOT LIKE 'Binlog%'")
                for (number,) in cursor.fetchall():
                    with contextlib.suppress(Exception):
                        cursor.execute(f"KILL {number}")
                        killed += 1
                time.sleep(0.12)
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with minimal(server, name) as cursor:
            for _ in range(rounds):
                cursor.execute("UPDATE t SET v = v + 1")
        found = events(weir.bootstrap, f"{name}.{name}.t", count * (rounds + 1), timeout=60)
    finally:
        done.set()
        killer.join()
    weir.wait_running(name)
    assert [(v["op"], k["id"], v["after"]["v"], v["after"]["w"]) for k, v in found] == \
        [("c" if r == 0 else "u", i, r, f"w{i}") for r in range(rounds + 1) for i in range(count)]


def test_a_locked_row_holds_nothing_up_for_long(server, weir, capture):
    """A row that is gone and that somebody else is about to insert again: who waits for its lock waits long."""
    name = capture("CREATE TABLE t (id INT PRIMARY KEY, v INT, w VARCHAR(20), ts TIMESTAMP NULL);\nINSERT INTO t VALUES (1, 1, 'one', NULL), (2, 1, 'two', NULL)")
    with contextlib.closing(server.client(name)) as c, c.cursor() as holder:
        weir.rest("PUT", f"/connectors/{name}/pause")
        wait_until(lambda: weir.rest("GET", f"/connectors/{name}/status")[1]["tasks"][0]["state"] == "PAUSED")
        with minimal(server, name) as cursor:
            cursor.execute("UPDATE t SET v = 2 WHERE id = 1")
        server.sql(f"DELETE FROM {name}.t WHERE id = 1")
        holder.execute("BEGIN")
        holder.execute("INSERT INTO t VALUES (1, 5, 'later', NULL)")
        began = time.monotonic()
        weir.rest("PUT", f"/connectors/{name}/resume")
        found = events(weir.bootstrap, f"{name}.{name}.t", 5, timeout=40)
        assert time.monotonic() - began < 8, "the lock was waited for"
        holder.execute("ROLLBACK")
    assert found[2][1]["op"] == "u" and {**found[2][1]["after"], "w": None} == {"id": 1, "v": 2, "w": None, "ts": None}
    assert found[3][1]["op"] == "d" and found[4][1] is None
    with minimal(server, name) as cursor:
        cursor.execute("UPDATE t SET v = 3 WHERE id = 2")
    assert events(weir.bootstrap, f"{name}.{name}.t", 6)[5][1]["after"] == {"id": 2, "v": 3, "w": "two", "ts": None}
