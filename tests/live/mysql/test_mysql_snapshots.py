"""Snapshots: each mode, each way of locking, what is read, in which order and with which markers."""
import json
import re
import threading
import time

import pytest

from kafka_io import events, read_all
from tcp_proxy import TcpProxy
from weirproc import Weir, wait_until


@pytest.fixture(params=["mariadb", "mysql"])
def server(request):
    return request.getfixturevalue(request.param)


def make(server, name):
    server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name};\nUSE {name};\nCREATE TABLE a (id INT PRIMARY KEY, v INT);\n"
               "INSERT INTO a VALUES (1,1),(2,2),(3,3);\nCREATE TABLE b (id INT PRIMARY KEY);\nINSERT INTO b VALUES (1);\nCREATE TABLE e (id INT PRIMARY KEY)")


def start(server, weir, name, mode=None, **extra):
    options = {"database_include_list": name, "include_schema_changes": "false", "retriable_restart_connector_wait_ms": "300", **extra}
    if mode:
        options["snapshot_mode"] = mode
    weir.create_connector(name, server.connector(name, **options))


def ops(weir, name, table, count=None):
    return [v["op"] for _, v in events(weir.bootstrap, f"{name}.{name}.{table}", count, timeout=30) if v]


def absent(weir, name, table):
    with pytest.raises(AssertionError):
        read_all(weir.bootstrap, f"{name}.{name}.{table}", 1, timeout=1)


def offset(weir, name):
    found = weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"]
    return found[0]["offset"] if found else None


def restart(weir, name):
    assert weir.rest("PUT", f"/connectors/{name}/stop")[0] == 204
    wait_until(lambda: not weir.rest("GET", f"/connectors/{name}/status")[1]["tasks"])
    assert weir.rest("PUT", f"/connectors/{name}/resume")[0] == 202
    weir.wait_running(name)


def failed_trace(weir, name, timeout=30):
    def trace():
        tasks = weir.rest("GET", f"/connectors/{name}/status")[1]["tasks"]
        return tasks and tasks[0]["state"] == "FAILED" and tasks[0]["trace"]
    return wait_until(trace, timeout)


def test_initial_and_always(server, weir):
    for mode, again in (("initial", 0), ("always", 3)):
        name = f"sm_{mode}"
        make(server, name)
        start(server, weir, name, mode)
        assert ops(weir, name, "a", 3) == ["r"] * 3
        server.sql(f"INSERT INTO {name}.a VALUES (4, 4)")
        assert ops(weir, name, "a", 4) == ["r"] * 3 + ["c"]
        restart(weir, name)
        server.sql(f"INSERT INTO {name}.b VALUES (9)")
        wait_until(lambda: "c" in ops(weir, name, "b") or ops(weir, name, "b").count("r") > 1)
        assert ops(weir, name, "a").count("r") == 3 + (again and again + 1)


def test_initial_only(server, weir):
    make(server, "sm_only")
    start(server, weir, "sm_only", "initial_only")
    assert ops(weir, "sm_only", "a", 3) == ["r"] * 3
    wait_until(lambda: "Streaming is disabled for snapshot mode initial_only" in weir.log())
    server.sql("INSERT INTO sm_only.a VALUES (4, 4)")
    wait_until(lambda: (offset(weir, "sm_only") or {}).get("pos") and "snapshot" not in offset(weir, "sm_only"))
    restart(weir, "sm_only")
    time.sleep(0.5)
    assert ops(weir, "sm_only", "a") == ["r"] * 3
    weir.wait_running("sm_only")


def test_no_data_and_old_name(server, weir):
    for mode in ("no_data", "schema_only"):
        name = f"sm_{mode}"
        make(server, name)
        start(server, weir, name, mode)
        wait_until(lambda: offset(weir, name))
        assert "snapshot" not in offset(weir, name)
        server.sql(f"INSERT INTO {name}.a VALUES (4, 4)")
        assert ops(weir, name, "a", 1) == ["c"]
        absent(weir, name, "b")


def test_never(server, weir):
    make(server, "sm_never")
    start(server, weir, "sm_never", "never")
    wait_until(lambda: "Connected to binlog" in weir.log())
    server.sql("INSERT INTO sm_never.a VALUES (4, 4)")
    assert ops(weir, "sm_never", "a", 1) == ["c"]
    restart(weir, "sm_never")
    server.sql("INSERT INTO sm_never.a VALUES (5, 5)")
    assert ops(weir, "sm_never", "a", 2) == ["c", "c"]


def test_recovery(server, weir):
    make(server, "sm_rec")
    start(server, weir, "sm_rec", "initial")
    assert ops(weir, "sm_rec", "a", 3) == ["r"] * 3
    server.sql("INSERT INTO sm_rec.a VALUES (4, 4)")
    assert ops(weir, "sm_rec", "a", 4)[-1] == "c"
    config = weir.rest("GET", "/connectors/sm_rec/config")[1]
    assert weir.rest("PUT", "/connectors/sm_rec/config", {**config, "snapshot.mode": "recovery"})[0] == 200
    server.sql("INSERT INTO sm_rec.a VALUES (5, 5)")
    assert ops(weir, "sm_rec", "a", 5) == ["r"] * 3 + ["c"] * 2
    make(server, "sm_rec2")
    start(server, weir, "sm_rec2", "schema_only_recovery")
    assert "Could not find existing redo log information while attempting schema only recovery snapshot" in failed_trace(weir, "sm_rec2")


def test_when_needed(server, weir):
    make(server, "sm_need")
    start(server, weir, "sm_need", "when_needed")
    assert ops(weir, "sm_need", "a", 3) == ["r"] * 3
    restart(weir, "sm_need")
    assert weir.rest("PUT", "/connectors/sm_need/stop")[0] == 204
    wait_until(lambda: not weir.rest("GET", "/connectors/sm_need/status")[1]["tasks"])
    gone = {"offsets": [{"partition": {"server": "sm_need"}, "offset": {"file": "binlog.999999", "pos": 4}}]}
    assert weir.rest("PATCH", "/connectors/sm_need/offsets", gone)[0] == 200
    assert weir.rest("PUT", "/connectors/sm_need/resume")[0] == 202
    assert ops(weir, "sm_need", "a", 6) == ["r"] * 6
    assert "Last recorded offset is no longer available on the server." in weir.log()


def test_configuration_based(server, weir):
    flags = "snapshot_mode_configuration_based_"
    make(server, "sm_conf")
    start(server, weir, "sm_conf", "configuration_based", **{flags + "snapshot_schema": "true", flags + "start_stream": "true"})
    wait_until(lambda: "Connected to binlog" in weir.log())
    server.sql("INSERT INTO sm_conf.a VALUES (4, 4)")
    assert ops(weir, "sm_conf", "a", 1) == ["c"]
    make(server, "sm_conf2")
    start(server, weir, "sm_conf2", "configuration_based", **{flags + "snapshot_data": "true", flags + "snapshot_schema": "true"})
    assert ops(weir, "sm_conf2", "a", 3) == ["r"] * 3
    server.sql("INSERT INTO sm_conf2.a VALUES (4, 4)")
    time.sleep(0.7)
    assert ops(weir, "sm_conf2", "a") == ["r"] * 3
    weir.wait_running("sm_conf2")


@pytest.mark.parametrize("option", ["snapshot.mode", "snapshot.locking.mode", "snapshot.query.mode"])
def test_custom_is_refused(mariadb, weir, option):
    config = mariadb.connector("sm_custom", database_include_list="sm_custom")
    config[option] = "custom"
    status, body = weir.rest("POST", "/connectors", {"name": "sm_custom", "config": config})[:2]
    assert status == 400 and f"{option}.custom.name cannot be empty when {option} 'custom' is defined" in body["message"]
    config[option + ".custom.name"] = "MyClass"
    status, body = weir.rest("POST", "/connectors", {"name": "sm_custom", "config": config})[:2]
    assert status == 400 and "written in Java" in body["message"]


@pytest.mark.parametrize("mode", ["minimal", "extended", "none", "minimal_at_least_once"])
def test_locking(server, weir, mode):
    make(server, "sm_lock")
    start(server, weir, "sm_lock", snapshot_locking_mode=mode)
    assert ops(weir, "sm_lock", "a", 3) == ["r"] * 3
    assert ops(weir, "sm_lock", "b", 1) == ["r"]
    wait_until(lambda: "Connected to binlog" in weir.log())
    log = weir.log()
    assert ("Flush and obtain global read lock" in log) == (mode != "none")
    lines = [line for line in log.splitlines() if "Releasing global read lock" in line or "Finished exporting" in line]
    held = bool(lines) and "Releasing" in lines[-1]
    assert held == (mode == "extended"), lines
    server.sql("INSERT INTO sm_lock.a VALUES (4, 4)")
    assert ops(weir, "sm_lock", "a", 4) == ["r"] * 3 + ["c"]


def test_writes_while_it_begins_without_locks(server, weir):
    """Between the view of the rows and the position that streaming begins at nothing is lost."""
    name = "sm_nolock"
    server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name};\nCREATE TABLE {name}.a (id INT PRIMARY KEY AUTO_INCREMENT, w INT)")
    done = threading.Event()

    def write(n):
        with server.client(name) as c, c.cursor() as cursor:
            while not done.is_set():
                cursor.execute(f"INSERT INTO a (w) VALUES ({n})")
    writers = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for w in writers:
        w.start()
    for i in range(10):
        start(server, weir, f"{name}{i}", snapshot_locking_mode="none", database_include_list=name, database_server_id=7700 + i)
    wait_until(lambda: weir.log().count("Connected to binlog") == 10, 60)
    done.set()
    for w in writers:
        w.join()
    server.sql(f"INSERT INTO {name}.a (w) VALUES (-1)")
    want = {r[0] for r in server.sql(f"SELECT id FROM {name}.a")}
    for i in range(10):
        topic = f"{name}{i}.{name}.a"
        wait_until(lambda: max((k["id"] for k, _ in events(weir.bootstrap, topic, 1)), default=0) == max(want), 60, interval=0.3)
        assert want - {k["id"] for k, _ in events(weir.bootstrap, topic)} == set(), i


@pytest.fixture
def statements(mysql):
    """What the server is sent."""
    mysql.sql("TRUNCATE mysql.general_log;\nSET GLOBAL log_output = 'TABLE';\nSET GLOBAL general_log = ON")
    yield lambda: [r[0].decode() for r in mysql.sql("SELECT argument FROM mysql.general_log WHERE user_host LIKE 'debezium%' AND command_type = 'Query'")]
    mysql.sql("SET GLOBAL general_log = OFF")


@pytest.mark.parametrize("mode", ["minimal_percona", "minimal_percona_no_table_locks"])
def test_the_backup_lock_where_there_is_none(mysql, weir, statements, mode):
    make(mysql, "sm_backup")
    start(mysql, weir, "sm_backup", snapshot_locking_mode=mode)
    trace = failed_trace(weir, "sm_backup")
    assert "the server does not know LOCK TABLES FOR BACKUP" in trace and "only Percona Server has it" in trace
    assert not [q for q in statements() if q.startswith("FLUSH TABLES")]  # (what it can't parse the server does not log)


@pytest.mark.parametrize("mode", ["minimal_percona", "minimal_percona_no_table_locks"])
def test_the_backup_lock(mysql, weir, statements, mode):
    """A lock that stops no commits, as Percona's: on the way to a server without it, it becomes a statement that does nothing. Before
    each question for the position somebody commits a row."""
    name = "sm_backup"
    mysql.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name};\nCREATE TABLE {name}.a (id INT PRIMARY KEY AUTO_INCREMENT, w INT)")

    def commit(data):
        if b"SHOW BINARY LOG STATUS" in data:
            mysql.sql(f"INSERT INTO {name}.a (w) VALUES (1)")
    with TcpProxy(mysql.port) as proxy:
        proxy.rewrite, proxy.ahead = {b"LOCK TABLES FOR BACKUP": b"DO 'FOR BACKUP'       "}, commit
        start(mysql, weir, name, snapshot_locking_mode=mode, database_port=proxy.port, database_ssl_mode="disabled")
        wait_until(lambda: weir.log().count("Connected to binlog") == 1, 60)
        proxy.ahead = None
        mysql.sql(f"INSERT INTO {name}.a (w) VALUES (-1)")
        want = {r[0] for r in mysql.sql(f"SELECT id FROM {name}.a")}
        assert len(want) > 1
        topic = f"{name}.{name}.a"
        wait_until(lambda: max((k["id"] for k, _ in events(weir.bootstrap, topic, 1)), default=0) == max(want), 60, interval=0.3)
        assert {k["id"] for k, _ in events(weir.bootstrap, topic)} == want
    sent = statements()
    lock = sent.index("DO 'FOR BACKUP'")
    assert lock < sent.index("START TRANSACTION WITH CONSISTENT SNAPSHOT") < sent.index("UNLOCK TABLES")
    assert not [q for q in sent if q.startswith("FLUSH TABLES")]


def test_table_locks_without_reload(server, weir):
    make(server, "sm_noreload")
    server.sql("CREATE USER IF NOT EXISTS 'poor'@'%' IDENTIFIED BY 'p';\nGRANT SELECT, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT "
               + (", BINLOG MONITOR" if server.kind == "mariadb" else "") + " ON *.* TO 'poor'@'%'")
    start(server, weir, "sm_noreload", database_user="poor", database_password="p")
    assert ops(weir, "sm_noreload", "a", 3) == ["r"] * 3
    assert "Unable to flush and acquire global read lock, will use table read locks" in weir.log()
    server.sql("INSERT INTO sm_noreload.a VALUES (4, 4)")  # nothing stays locked
    assert ops(weir, "sm_noreload", "a", 4) == ["r"] * 3 + ["c"]
    server.sql("REVOKE LOCK TABLES ON *.* FROM 'poor'@'%'")
    start(server, weir, "sm_noreload2", database_user="poor", database_password="p")
    assert "User does not have the 'LOCK TABLES' privilege" in failed_trace(weir, "sm_noreload2")


def test_a_table_changes_before_its_turn(server, weir):
    """The view of the rows has no such table: the snapshot begins anew instead of failing."""
    make(server, "smddl")
    server.sql("INSERT INTO smddl.a VALUES " + ",".join(f"({i}, {i})" for i in range(10, 60)))
    start(server, weir, "smddl", snapshot_select_statement_overrides="smddl.a",
          snapshot_select_statement_overrides_smddl_a="SELECT * FROM smddl.a WHERE SLEEP(0.05) = 0")
    wait_until(lambda: "Exporting data from table 'smddl.a'" in weir.log())
    server.sql("ALTER TABLE smddl.b ADD COLUMN x INT DEFAULT 7, ALGORITHM=COPY")
    found = lambda: [v["after"] for _, v in events(weir.bootstrap, "smddl.smddl.b", 1)]
    wait_until(lambda: "Connected to binlog" in weir.log(), 60)
    assert found()[-1] == {"id": 1, "x": 7}
    weir.wait_running("smddl")


def test_what_is_read(server, weir):
    make(server, "sm_what")
    server.sql("INSERT INTO sm_what.e VALUES (7)")
    start(server, weir, "sm_what", snapshot_include_collection_list="sm_what\\.(a|e)",
          snapshot_select_statement_overrides="sm_what.a,sm_what.b")
    config = weir.rest("GET", "/connectors/sm_what/config")[1]
    weir.rest("DELETE", "/connectors/sm_what")
    weir.rest("DELETE", "/connectors/sm_what/offsets")
    config = {**config, "topic.prefix": "sm_what2", "name": "sm_what2",
              "snapshot.select.statement.overrides.sm_what.a": "SELECT v, id FROM sm_what.a WHERE id > 1 ORDER BY id DESC"}
    weir.create_connector("sm_what2", config)
    found = events(weir.bootstrap, "sm_what2.sm_what.a", 2)
    assert [v["after"] for _, v in found] == [{"id": 3, "v": 3}, {"id": 2, "v": 2}]
    assert len(events(weir.bootstrap, "sm_what2.sm_what.e", 1)) == 1
    with pytest.raises(AssertionError):
        read_all(weir.bootstrap, "sm_what2.sm_what.b", 1, timeout=1)
    server.sql("INSERT INTO sm_what.b VALUES (2)")  # streamed all the same
    assert [v["op"] for _, v in events(weir.bootstrap, "sm_what2.sm_what.b", 1)] == ["c"]


@pytest.mark.parametrize("order,want", [("ascending", ["e", "b", "a"]), ("descending", ["a", "b", "e"]), ("disabled", ["a", "b", "e"])])
def test_order_by_rows(mariadb, weir, order, want):
    make(mariadb, "sm_order")
    mariadb.sql("USE sm_order;\nINSERT INTO sm_order.a SELECT seq, 1 FROM seq_10_to_5000;\nINSERT INTO sm_order.b SELECT seq FROM seq_10_to_900;\n"
                "ANALYZE TABLE sm_order.a, sm_order.b, sm_order.e")
    start(mariadb, weir, "sm_order", snapshot_tables_order_by_row_count=order)
    wait_until(lambda: weir.log().count("Exporting data from table") == 3)
    lines = [line.split("'")[1].split(".")[1] for line in weir.log().splitlines() if "Exporting data from table" in line]
    assert lines == want


def test_markers(server, weir):
    make(server, "sm_mark")
    start(server, weir, "sm_mark")
    marks = [v["source"]["snapshot"] for _, v in events(weir.bootstrap, "sm_mark.sm_mark.a", 3)]
    assert marks == ["first", "true", "last_in_data_collection"]
    assert [v["source"]["snapshot"] for _, v in events(weir.bootstrap, "sm_mark.sm_mark.b", 1)] == ["last"]  # e is empty
    make(server, "sm_mark2")
    server.sql("DELETE FROM sm_mark2.a WHERE id > 1;\nDELETE FROM sm_mark2.b")
    start(server, weir, "sm_mark2")
    assert [v["source"]["snapshot"] for _, v in events(weir.bootstrap, "sm_mark2.sm_mark2.a", 1)] == ["last"]
    make(server, "sm_mark3")
    server.sql("DELETE FROM sm_mark3.a;\nDELETE FROM sm_mark3.b")
    start(server, weir, "sm_mark3", include_schema_changes="true")
    wait_until(lambda: "snapshot" not in (offset(weir, "sm_mark3") or {"snapshot": 1}))
    changes = [json.loads(m.value()) for m in read_all(weir.bootstrap, "sm_mark3")]
    assert [c["source"]["snapshot"] for c in changes][-1] == "last"


def test_delays(mariadb, weir):
    make(mariadb, "sm_delay")
    began = time.monotonic()
    start(mariadb, weir, "sm_delay", snapshot_delay_ms=1500, streaming_delay_ms=1500)
    assert ops(weir, "sm_delay", "a", 3) == ["r"] * 3
    assert time.monotonic() - began >= 1.5
    wait_until(lambda: "Starting streaming" in weir.log())
    assert time.monotonic() - began >= 3


def test_notes_of_modes(mariadb, weir):
    make(mariadb, "sm_notes")
    start(mariadb, weir, "sm_notes", notification_enabled_channels="sink", notification_sink_topic_name="sm_notes_n")
    assert ops(weir, "sm_notes", "a", 3) == ["r"] * 3
    wait_until(lambda: "Connected to binlog" in weir.log())
    restart(weir, "sm_notes")
    kinds = lambda: [json.loads(m.value())["type"] for m in read_all(weir.bootstrap, "sm_notes_n")]
    wait_until(lambda: len(kinds()) > 8)
    assert kinds() == ["STARTED"] + ["IN_PROGRESS", "TABLE_SCAN_COMPLETED"] * 3 + ["COMPLETED", "SKIPPED"]


def test_a_snapshot_that_fails_says_so(server, weir):
    """For good: the statement is wrong. What it was started with stands above that, without secrets."""
    make(server, "smfails")
    start(server, weir, "smfails", notification_enabled_channels="log", snapshot_select_statement_overrides="smfails.a",
          snapshot_select_statement_overrides_smfails_a="SELECT nothing FROM smfails.a")
    assert "nothing" in failed_trace(weir, "smfails")
    log = weir.log()
    kinds = re.findall(r"aggregateType='Initial Snapshot', type='([A-Z_]+)'", log)
    assert kinds[0] == "STARTED" and kinds[-1] == "ABORTED" and kinds.count("ABORTED") == 1, kinds
    shown = re.findall(r"cdc.mysql    ([a-z.]+) = (.*?) connector=smfails", log)
    assert shown == sorted(shown) and {("database.user", "debezium"), ("database.password", "********"), ("topic.prefix", "smfails")} <= set(shown), shown


def deleted_in(weir, name):
    began = time.monotonic()
    assert weir.rest("DELETE", f"/connectors/{name}")[0] == 204
    return time.monotonic() - began


def test_a_snapshot_ends_at_once_when_it_is_told_to(server, weir):
    """While it waits for the lock, for a slow statement, and with rows that are still to come."""
    name = "sm_stop"
    make(server, name)
    with server.client(name) as c, c.cursor() as cursor:
        cursor.execute("LOCK TABLES a WRITE")
        start(server, weir, name)
        wait_until(lambda: server.sql("SELECT id FROM information_schema.processlist WHERE user = 'debezium' AND info LIKE 'FLUSH TABLES WITH READ LOCK%'"))
        assert deleted_in(weir, name) < 3
        cursor.execute("UNLOCK TABLES")
    server.sql(f"INSERT INTO {name}.b WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n")
    weir.create_connector(name, {**server.connector(name, database_include_list=name, include_schema_changes="false", max_batch_size=10, max_queue_size=20),
                                 "snapshot.select.statement.overrides": f"{name}.b",
                                 f"snapshot.select.statement.overrides.{name}.b": f"SELECT * FROM {name}.b WHERE SLEEP(0.05) = 0"})
    wait_until(lambda: server.sql("SELECT id FROM information_schema.processlist WHERE user = 'debezium' AND info LIKE '%SLEEP(0.05)%'"))
    assert deleted_in(weir, name) < 3
    assert "did not stop in time" not in weir.log()
    # The server goes on with the statement until it writes to the lost connection: the next test's lock would wait for it.
    for (thread,) in server.sql("SELECT id FROM information_schema.processlist WHERE user = 'debezium' AND info LIKE '%SLEEP(0.05)%'"):
        server.sql(f"KILL {thread}")


def test_a_pause_after_the_snapshot_only(mariadb, weir):
    name = "sm_pause"
    make(mariadb, name)
    start(mariadb, weir, name, streaming_delay_ms=6000)
    assert ops(weir, name, "a", 3) == ["r"] * 3
    assert "Starting streaming" not in weir.log()
    wait_until(lambda: "Starting streaming" in weir.log())
    began = time.monotonic()
    restart(weir, name)
    mariadb.sql(f"INSERT INTO {name}.a VALUES (4, 4)")
    assert ops(weir, name, "a", 4)[-1] == "c"
    assert time.monotonic() - began < 6
