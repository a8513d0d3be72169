"""weir.xa.commit: XA transactions are told when they are committed, and not at all when they are rolled back."""
import contextlib
import itertools

import pytest

from databases import database
from kafka_io import events
from weirproc import Weir, wait_until

NUMBERS = itertools.count(1)


@pytest.fixture(params=["mariadb", "mysql", "mysql-compressed", "mysql-without-gtids"], scope="module")
def server(request):
    options = {"mysql-compressed": ["--binlog-transaction-compression=ON"], "mysql-without-gtids": ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]}
    with database(request.param.split("-")[0], options.get(request.param, [])) as db:
        yield db


def prepare(server, name, xid, statements):
    """By a session of its own, which the server then has no need of."""
    with contextlib.closing(server.client(name)) as c, c.cursor() as cursor:
        for s in [f"XA START {xid}", *statements, f"XA END {xid}", f"XA PREPARE {xid}"]:
            cursor.execute(s)


def sql(server, name, *statements):
    with contextlib.closing(server.client(name)) as c, c.cursor() as cursor:
        for s in statements:
            cursor.execute(s)


def start(weir, server, commit="true", **options):
    name = f"xa{next(NUMBERS)}"
    server.sql(f"CREATE DATABASE {name};\nCREATE TABLE {name}.t (id INT PRIMARY KEY, v INT)")
    before = weir.log().count("Connected to binlog")
    weir.create_connector(name, {**server.connector(name, database_include_list=name, **options), "weir.xa.commit": commit})
    weir.wait_running(name)
    wait_until(lambda: weir.log().count("Connected to binlog") > before)
    return name


def rows(weir, name, count):
    found = events(weir.bootstrap, f"{name}.{name}.t", count, timeout=60)
    weir.wait_running(name)
    return [(v["op"], (v["after"] or v["before"])["id"]) for _, v in found if v is not None]


def told(weir, name, count):
    return [key for _, key in rows(weir, name, count)]


def offset(weir, name):
    return weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"]


def test_only_what_is_committed_is_told(server, weir):
    name = start(weir, server, provide_transaction_metadata="true")
    prepare(server, name, "'one'", ["INSERT INTO t VALUES (1, 1), (2, 2)", "INSERT INTO t VALUES (3, 3)"])
    prepare(server, name, "'gone','with',7", ["INSERT INTO t VALUES (100, 1)"])
    sql(server, name, "INSERT INTO t VALUES (4, 4)", "XA ROLLBACK 'gone','with',7", "XA COMMIT 'one'",
        "XA START 'two'", "INSERT INTO t VALUES (5, 5)", "XA END 'two'", "XA COMMIT 'two' ONE PHASE",
        "XA START 'never'", "INSERT INTO t VALUES (101, 1)", "XA END 'never'", "XA ROLLBACK 'never'",
        "XA START 'three'", "UPDATE t SET v = 9 WHERE id = 1", "DELETE FROM t WHERE id = 2", "XA END 'three'", "XA PREPARE 'three'", "XA COMMIT 'three'",
        "INSERT INTO t VALUES (6, 6)")
    found = [v for _, v in events(weir.bootstrap, f"{name}.{name}.t", 9, timeout=60) if v is not None]
    assert [(v["op"], (v["after"] or v["before"])["id"]) for v in found] == \
        [("c", 4), ("c", 1), ("c", 2), ("c", 3), ("c", 5), ("u", 1), ("d", 2), ("c", 6)]
    places = [(v["source"]["file"], v["source"]["pos"]) for v in found]
    assert places == sorted(places), "at the place of the commit"
    transactions = [v["transaction"] for v in found]
    assert [t["total_order"] for t in transactions] == [1, 1, 2, 3, 1, 1, 2, 1]
    assert len({t["id"] for t in transactions}) == 5
    sql(server, name, "INSERT INTO t VALUES (7, 7)")
    told(weir, name, 10)
    wait_until(lambda: "weir_xa" not in offset(weir, name))


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_branch_outlives_the_connector(server, weir, end):
    name = start(weir, server)
    prepare(server, name, "'kept'", ["INSERT INTO t VALUES (1, 1)"])
    prepare(server, name, "'gone'", ["INSERT INTO t VALUES (100, 1)"])
    sql(server, name, "INSERT INTO t VALUES (2, 2)")
    assert told(weir, name, 1) == [2]
    wait_until(lambda: "X'6b657074'" in offset(weir, name).get("weir_xa", ""))
    getattr(weir, end)()
    sql(server, name, "INSERT INTO t VALUES (3, 3)", "FLUSH BINARY LOGS", "XA ROLLBACK 'gone'", "XA COMMIT 'kept'", "INSERT INTO t VALUES (4, 4)")
    weir.start()
    assert told(weir, name, 4) == [2, 3, 1, 4]


def test_a_branch_of_many_batches(server, weir):
    """Its rows are told once each, over batches that hold a part of them, and over a crash."""
    name = start(weir, server, max_batch_size=7, max_queue_size=20)
    groups = [range(n, n + 25) for n in range(0, 400, 25)]
    prepare(server, name, "'many'", ["INSERT INTO t VALUES " + ",".join(f"({i}, 1)" for i in group) for group in groups])
    sql(server, name, "INSERT INTO t VALUES (1000, 1)", "XA COMMIT 'many'", "INSERT INTO t VALUES (1001, 1)")
    events(weir.bootstrap, f"{name}.{name}.t", 30, timeout=60)
    weir.kill()
    weir.start()
    assert told(weir, name, 402) == [1000, *range(400), 1001]


def test_a_crash_while_a_branch_is_told_at_its_prepare(server, weir):
    """Without the option, as Debezium does."""
    name, rows = start(weir, server, "false", max_batch_size=7, max_queue_size=20), range(1500)
    prepare(server, name, "'now'", ["INSERT INTO t VALUES " + ",".join(f"({i}, 1)" for i in rows[n:n + 25]) for n in range(0, len(rows), 25)])
    events(weir.bootstrap, f"{name}.{name}.t", 30, timeout=60)
    weir.kill()
    weir.start()
    sql(server, name, "XA ROLLBACK 'now'", "INSERT INTO t VALUES (5000, 1)")
    assert told(weir, name, len(rows) + 1) == [*rows, 5000]


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_a_binlog_that_is_gone(server, weir):
    name = start(weir, server)
    prepare(server, name, "'old'", ["INSERT INTO t VALUES (1, 1)"])
    sql(server, name, "INSERT INTO t VALUES (2, 2)")
    assert told(weir, name, 1) == [2]
    sql(server, name, "FLUSH BINARY LOGS", "INSERT INTO t VALUES (3, 3)")
    assert told(weir, name, 2) == [2, 3]
    newest = server.sql("SHOW BINARY LOGS")[-1][0]
    try:
        wait_until(lambda: server.sql(f"PURGE BINARY LOGS TO '{newest}'") is not None and len(server.sql("SHOW BINARY LOGS")) == 1, 10)
        sql(server, name, "XA COMMIT 'old'")

        def failed():
            return [t["trace"] for t in weir.rest("GET", f"/connectors/{name}/status")[1]["tasks"] if t["state"] == "FAILED"]
        trace = wait_until(failed)[0]
        assert "the rows of XA transaction X'6f6c64',X'',1, which is committed now, can't be read again" in trace
        assert "weir.xa.commit=false" in trace
    finally:
        weir.rest("DELETE", f"/connectors/{name}")


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_more_branches_than_are_noted(server, weir):
    name = start(weir, server)
    for n in range(203):
        prepare(server, name, f"'b{n}'", [f"INSERT INTO t VALUES ({n}, 1)"])
    try:
        assert told(weir, name, 3) == [200, 201, 202]
        assert "more than 200 XA transactions are prepared" in weir.log()
        wait_until(lambda: offset(weir, name)["weir_xa"].endswith(";more"))
        weir.stop()
        weir.start()
    finally:
        sql(server, name, *[f"XA COMMIT 'b{n}'" for n in range(203)])
    assert sorted(told(weir, name, 203)) == [*range(203)]
    sql(server, name, "INSERT INTO t VALUES (1000, 1)")
    told(weir, name, 204)
    assert "XA COMMIT X'62323030',X'',1: it was prepared before" not in weir.log()


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_transactions_without_the_option(server, weir):
    """Rows that are told when they are prepared belong to none: what begins also ends."""
    name = start(weir, server, "false", provide_transaction_metadata="true")
    sql(server, name, "INSERT INTO t VALUES (1, 1)", "XA START 'p'", "INSERT INTO t VALUES (2, 2)", "XA END 'p'", "XA PREPARE 'p'", "XA COMMIT 'p'",
        "XA START 'q'", "INSERT INTO t VALUES (3, 3)", "XA END 'q'", "XA COMMIT 'q' ONE PHASE", "INSERT INTO t VALUES (4, 4)")
    found = [v for _, v in events(weir.bootstrap, f"{name}.{name}.t", 4, timeout=60)]
    assert [v["after"]["id"] for v in found] == [1, 2, 3, 4] and found[1]["transaction"] is None
    ids = [v["transaction"]["id"] for v in found if v["transaction"]]
    assert [(v["status"], v["id"]) for _, v in events(weir.bootstrap, f"{name}.transaction", 2 * len(ids))] == \
        [(status, i) for i in ids for status in ("BEGIN", "END")]
