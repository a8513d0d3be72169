"""snapshot.max.threads: several sessions that share one view read tables at the same time."""
import threading

import pymysql
import pytest

from kafka_io import events, read_all
from weirproc import Weir, wait_until


@pytest.fixture(params=["mariadb", "mysql"])
def server(request):
    return request.getfixturevalue(request.param)


SIZES = {"a": 3000, "b": 1, "c": 0, "d": 700, "e": 2, "f": 5000, "g": 0}


def make(server, name):
    server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name}")
    for t, rows in SIZES.items():
        server.sql(f"CREATE TABLE {name}.{t} (id INT PRIMARY KEY, v VARCHAR(200), n DECIMAL(8,2) NULL, b BLOB NULL)")
        with server.client(name) as c, c.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {t} VALUES (%s, %s, %s, %s)",
                               [(i, f"{t}'{i}" * (i % 20), None if i % 3 else i / 4, None if i % 5 else b"\0\xff" * (i % 9)) for i in range(rows)])


def start(server, weir, name, database, **extra):
    weir.create_connector(name, server.connector(name, database_include_list=database, include_schema_changes="false",
                                                 database_server_id=8000 + abs(hash(name)) % 1000, **extra))


def found(weir, name, database, t):
    return events(weir.bootstrap, f"{name}.{database}.{t}", SIZES[t]) if SIZES[t] else []


def is_streaming(weir, name):
    return any("Connected to binlog" in line and f"connector={name} " in line for line in weir.log().splitlines())


@pytest.mark.parametrize("schemas", ["false", "true"])
def test_the_same_rows_as_with_one_thread(server, weir, schemas):
    """Same records in the same order in each table, but for positions and times; markers as they are defined."""
    make(server, "st")
    names = {"st_one": 1, "st_four": 4}
    for name, threads in names.items():
        # With a transform the rows go the general way, as values.
        more = {"transforms": "x", "transforms_x_type": "org.apache.kafka.connect.transforms.InsertHeader", "transforms_x_header": "h",
                "transforms_x_value_literal": "1"} if schemas == "true" else {}
        start(server, weir, name, "st", snapshot_max_threads=threads, value_converter_schemas_enable=schemas, **more)
        wait_until(lambda: is_streaming(weir, name), 60)

    def masked(name):
        out = {}
        for t in SIZES:
            for key, value in found(weir, name, "st", t):
                value = value["payload"] if schemas == "true" else value
                out.setdefault(t, []).append((key, value["after"], value["op"]))
        return out
    assert masked("st_one") == masked("st_four")
    assert {t: len(r) for t, r in masked("st_four").items()} == {t: n for t, n in SIZES.items() if n}
    marks = {}
    for t in SIZES:
        marks[t] = [(v["payload"] if schemas == "true" else v)["source"]["snapshot"] for _, v in found(weir, "st_four", "st", t)]
    every = [m for t in marks for m in marks[t]]
    assert every.count("first") == 1 and every.count("last") == 1
    for t, m in marks.items():
        if len(m) > 1:
            assert m[0] in ("first", "first_in_data_collection") and m[-1] in ("last", "last_in_data_collection"), (t, m[0], m[-1])
            assert set(m[1:-1]) <= {"true"}
        elif m:
            assert m[0] in ("first", "last", "last_in_data_collection")
    offset = weir.rest("GET", "/connectors/st_four/offsets")[1]["offsets"][0]["offset"]
    assert "snapshot" not in offset
    server.sql("INSERT INTO st.c VALUES (1, 'x', 1, NULL)")
    assert [k for k, v in events(weir.bootstrap, "st_four.st.c", 1)]


@pytest.mark.parametrize("mode", ["minimal", "extended", "none", "tables"])
def test_one_view_for_all_threads(server, weir, mode):
    """Transactions move an amount between tables all the time: all tables are as they were at one moment."""
    name = f"stv_{mode}"
    tables = [f"t{i}" for i in range(6)]
    server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name}")
    for t in tables:
        server.sql(f"CREATE TABLE {name}.{t} (id INT PRIMARY KEY, n INT)")
        with server.client(name) as c, c.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {t} VALUES (%s, 100)", [(i,) for i in range(200)])
    extra = {"snapshot_locking_mode": "minimal" if mode == "tables" else mode}
    if mode == "tables":
        server.sql("CREATE USER IF NOT EXISTS 'poor'@'%' IDENTIFIED BY 'p';\nGRANT SELECT, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT "
                   + (", BINLOG MONITOR" if server.kind == "mariadb" else "") + " ON *.* TO 'poor'@'%';\nGRANT LOCK TABLES ON *.* TO 'poor'@'%'")
        extra.update(database_user="poor", database_password="p")
    done, faults = threading.Event(), []

    def move(n):
        try:
            with server.client(name) as c, c.cursor() as cursor:
                i = 0
                while not done.is_set():
                    i += 1
                    try:
                        cursor.execute("BEGIN")
                        cursor.execute(f"UPDATE {tables[(i + n) % 6]} SET n = n - 1 WHERE id = {n}")
                        cursor.execute(f"UPDATE {tables[(i + n + 1 + i % 5) % 6]} SET n = n + 1 WHERE id = {n}")
                        cursor.execute("COMMIT")
                    except pymysql.OperationalError as e:  # with locks of tables one after the other: it is undone as a whole
                        if e.args[0] != 1213:
                            raise
        except Exception as e:
            faults.append(e)
    writers = [threading.Thread(target=move, args=(n,)) for n in range(4)]
    for w in writers:
        w.start()
    for i in range(3):
        start(server, weir, f"{name}{i}", name, snapshot_max_threads=4, **extra)
        wait_until(lambda: is_streaming(weir, f"{name}{i}"), 60)
    done.set()
    for w in writers:
        w.join()
    assert not faults, faults
    want = {t: dict(server.sql(f"SELECT id, n FROM {name}.{t}")) for t in tables}
    for i in range(3):
        def now():
            return {t: {k["id"]: v["after"]["n"] for k, v in events(weir.bootstrap, f"{name}{i}.{name}.{t}")} for t in tables}
        wait_until(lambda: now() == want, 60, interval=0.5)
        total = sum(v["after"]["n"] for t in tables for _, v in events(weir.bootstrap, f"{name}{i}.{name}.{t}") if v["op"] == "r")
        if mode != "none":  # there views may differ, and what came between them comes again
            assert total == 6 * 200 * 100, i


def test_kill_in_the_middle(server):
    make(server, "stk")
    slowly = {f"snapshot_select_statement_overrides_stk_{t}": f"SELECT * FROM stk.{t} WHERE SLEEP(0.001) = 0" for t in "af"}
    with Weir() as weir:
        start(server, weir, "stk", "stk", snapshot_max_threads=3, max_batch_size=100, snapshot_select_statement_overrides="stk.a,stk.f", **slowly)
        wait_until(lambda: len(read_all(weir.bootstrap, "stk.stk.f")) > 200, 60)
        weir.kill()
        weir.start()
        wait_until(lambda: "Previous snapshot was cancelled before completion" in weir.log())
        wait_until(lambda: len(read_all(weir.bootstrap, "stk.stk.f")) > 1000, 60)
        weir.stop(timeout=10)  # while threads read
        weir.start()
        wait_until(lambda: "Connected to binlog" in weir.log(), 90)
        for t, n in SIZES.items():
            if n:
                rows = [k["id"] for k, _ in events(weir.bootstrap, f"stk.stk.{t}")]
                assert set(rows) == set(range(n)), t
                assert rows[-n:] == list(range(n)), t  # the last reading is whole and in order


def test_a_thread_that_fails(mariadb, weir):
    """One session is killed: the snapshot begins anew. A statement that is wrong: the task says so."""
    make(mariadb, "stf")
    slowly = {f"snapshot_select_statement_overrides_stf_{t}": f"SELECT * FROM stf.{t} WHERE SLEEP(0.001) = 0" for t in "af"}
    start(mariadb, weir, "stf", "stf", snapshot_max_threads=3, max_batch_size=100, retriable_restart_connector_wait_ms=300,
          snapshot_select_statement_overrides="stf.a,stf.f", **slowly)
    wait_until(lambda: len(read_all(weir.bootstrap, "stf.stf.f")) > 200, 60)
    busy = mariadb.sql("SELECT id FROM information_schema.processlist WHERE user = 'debezium' AND info LIKE '%SLEEP%'")
    mariadb.sql(f"KILL {busy[0][0]}")
    wait_until(lambda: "Connected to binlog" in weir.log(), 90)
    assert "Going to restart connector" in weir.log()
    for t in "af":
        assert {k["id"] for k, _ in events(weir.bootstrap, f"stf.stf.{t}")} == set(range(SIZES[t]))
    assert mariadb.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'debezium'")[0][0] <= 2  # one to read, one to ask
    start(mariadb, weir, "stg", "stf", snapshot_max_threads=3, snapshot_select_statement_overrides="stf.a",
          snapshot_select_statement_overrides_stf_a="SELECT nothing FROM stf.a")
    trace = wait_until(lambda: [t["trace"] for t in weir.rest("GET", "/connectors/stg/status")[1]["tasks"] if t["state"] == "FAILED"])
    assert "Unknown column" in trace[0]
