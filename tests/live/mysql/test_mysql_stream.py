"""Streaming on real servers: forms of events, positions, connections that end in every way, and statements of all kinds."""
import contextlib
import itertools
import json
import os
import threading
import time

import pytest

from databases import database
from kafka_io import events, read_all
from tcp_proxy import TcpProxy
from weirproc import Weir, wait_until

NUMBERS = itertools.count(1)


@pytest.fixture(params=["mariadb", "mysql"])
def server(request):
    return request.getfixturevalue(request.param)


def fresh(server, tables):
    """A database of the test's own; its name."""
    name = f"stream{next(NUMBERS)}"
    server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name} CHARACTER SET utf8mb4;\nUSE {name};\n{tables}")
    return name


def start(weir, server, name, **options):
    """A connector that has reached the binary log."""
    before = weir.log().count("Connected to binlog")
    weir.create_connector(name, server.connector(name, database_include_list=name, **options))
    weir.wait_running(name)
    wait_until(lambda: weir.log().count("Connected to binlog") > before)


def rows(weir, name, count, table="t"):
    """(op, after or before) without tombstones; the connector must be at work afterwards."""
    found = events(weir.bootstrap, f"{name}.{name}.{table}", count, timeout=60)
    weir.wait_running(name)
    return [(v["op"], v["after"] or v["before"]) for _, v in found if v is not None]


def in_the_log(server, event):
    """Whether the server's newest binary log has events of this type: else a test of them tests nothing."""
    file = server.sql("SHOW BINARY LOGS")[-1][0]
    return any(event in row[2] for row in server.sql(f"SHOW BINLOG EVENTS IN '{file}'"))


def session(server, name, statements):
    with contextlib.closing(server.client(name)) as c, c.cursor() as cursor:
        for s in statements:
            cursor.execute(s)


# --- forms of events -------------------------------------------------------------------------------------------------


def test_compressed_transactions_survive_a_kill_in_their_middle(mysql):
    """TRANSACTION_PAYLOAD: a restart goes on within it, at the row."""
    name = fresh(mysql, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200))")
    total = 40000
    with Weir() as weir:
        start(weir, mysql, name, max_batch_size=300, max_queue_size=600)
        inserts = [f"INSERT INTO t VALUES {','.join(f'({k}, REPEAT(char(97 + {k} % 26), 150))' for k in range(i, i + 1000))}" for i in range(0, total, 1000)]
        session(mysql, name, ["SET SESSION binlog_transaction_compression = ON", "BEGIN", *inserts, "COMMIT"])
        topic = f"{name}.{name}.t"
        assert in_the_log(mysql, "Transaction_payload")
        for _ in range(3):
            read_all(weir.bootstrap, topic, 1, 60)
            weir.kill()
            weir.start()
        found = rows(weir, name, total)
        assert [r["id"] for _, r in found] == list(range(total))
        assert "rows on streaming start" in weir.log(), "no kill was within the transaction"


def test_partial_json(mysql, weir):
    name = fresh(mysql, "CREATE TABLE t (id INT PRIMARY KEY, j JSON, k JSON)")
    start(weir, mysql, name)
    session(mysql, name, [
        "INSERT INTO t VALUES (1, JSON_OBJECT('a', REPEAT('x', 300), 'b', JSON_ARRAY(1, 2, 3), 'c', 5), JSON_ARRAY(REPEAT('y', 300)))",
        "SET SESSION binlog_row_value_options = PARTIAL_JSON",
        "UPDATE t SET j = JSON_SET(j, '$.c', 6)",
        "UPDATE t SET j = JSON_REMOVE(JSON_REPLACE(j, '$.b[1]', 20), '$.b[0]'), k = JSON_SET(k, '$[0]', 'short')",
        "SET SESSION binlog_row_image = NOBLOB",
        "UPDATE t SET j = JSON_SET(j, '$.c', 7)",
        "SET SESSION binlog_row_image = MINIMAL",
        "UPDATE t SET j = JSON_SET(j, '$.c', 8)"])
    assert in_the_log(mysql, "Update_rows_partial")
    found = [json.loads(r["j"]) for _, r in rows(weir, name, 5)]
    assert [j["c"] for j in found[:3]] == [5, 6, 6] and found[2]["b"] == [20, 3] and found[1]["b"] == [1, 2, 3]
    assert found[3]["c"] in (7, 8) and found[4]["c"] == 8, "without an image before, the table is asked"


def test_xa_transactions(server, weir):
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    start(weir, server, name)
    session(server, name, ["XA START 'one'", "INSERT INTO t VALUES (1, 1), (2, 2)", "XA END 'one'", "XA PREPARE 'one'"])
    session(server, name, ["INSERT INTO t VALUES (3, 3)"])
    session(server, name, ["XA COMMIT 'one'", "XA START 'two'", "INSERT INTO t VALUES (4, 4)", "XA END 'two'", "XA COMMIT 'two' ONE PHASE",
                           "UPDATE t SET v = v + 10 WHERE id = 1"])
    assert rows(weir, name, 5) == [("c", {"id": 1, "v": 1}), ("c", {"id": 2, "v": 2}), ("c", {"id": 3, "v": 3}), ("c", {"id": 4, "v": 4}),
                                   ("u", {"id": 1, "v": 11})]
    weir.stop()
    session(server, name, ["INSERT INTO t VALUES (5, 5)"])
    weir.start()
    assert [r["id"] for _, r in rows(weir, name, 6)][5:] == [5]


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_transactions_that_are_rolled_back(kind):
    """What is rolled back is not in the log, whatever else its transaction did: so nothing has to be held back (binlog.buffer.size). Tables
    without transactions keep their rows, which come as transactions of their own."""
    options = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"] if kind == "mysql" else []  # with GTIDs MySQL refuses to mix the two
    with database(kind, options) as server, Weir() as weir:
        name = fresh(server, "CREATE TABLE i (id INT PRIMARY KEY) ENGINE=InnoDB;\nCREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;\n"
                             "CREATE TABLE j (id INT PRIMARY KEY) ENGINE=InnoDB;\nCREATE TRIGGER tr AFTER INSERT ON j FOR EACH ROW INSERT INTO m VALUES (NEW.id)")
        start(weir, server, name, binlog_buffer_size=10000)
        session(server, name, ["BEGIN", "INSERT INTO i VALUES (1)", "INSERT INTO m VALUES (1)", "INSERT INTO i VALUES (2)", "ROLLBACK",
                               "BEGIN", "INSERT INTO j VALUES (3)", "ROLLBACK",  # one statement of both
                               "BEGIN", "INSERT INTO i VALUES (4)", "SAVEPOINT s", "INSERT INTO i VALUES (5)", "ROLLBACK TO s", "INSERT INTO i VALUES (6)", "COMMIT",
                               "BEGIN", "INSERT INTO i VALUES (7)", "INSERT INTO m VALUES (7)", "COMMIT"])
        assert [r["id"] for _, r in rows(weir, name, 3, "m")] == [1, 3, 7]
        assert [r["id"] for _, r in rows(weir, name, 3, "i")] == [4, 6, 7]
        session(server, name, ["INSERT INTO j VALUES (8)"])
        assert [r["id"] for _, r in rows(weir, name, 1, "j")] == [8]


# --- positions -------------------------------------------------------------------------------------------------------


def follow(primary, replica, name):
    """Makes the second server a replica of the first."""
    primary.sql("CREATE USER IF NOT EXISTS 'repl'@'%' IDENTIFIED BY 'repl';\nGRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'")
    if primary.kind == "mysql":
        replica.sql(f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={primary.port}, SOURCE_USER='repl', SOURCE_PASSWORD='repl', "
                    "SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_SSL=1;\nSTART REPLICA")
    else:
        replica.sql(f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, MASTER_USER='repl', MASTER_PASSWORD='repl', "
                    "MASTER_USE_GTID=slave_pos;\nSTART SLAVE")


def has_rows(server, name, count):
    with contextlib.suppress(Exception):  # the table may not be there yet
        return server.sql(f"SELECT COUNT(*) FROM {name}.t")[0][0] == count


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_failover_to_a_replica(kind):
    """File and position mean another place there: the GTIDs decide."""
    domain = ["--gtid-domain-id=7"] if kind == "mariadb" else []
    with database(kind, ["--log-slave-updates" if kind == "mariadb" else "--log-replica-updates"]) as primary, \
            database(kind, ["--server-id=99", "--log-slave-updates" if kind == "mariadb" else "--log-replica-updates", *domain]) as replica, Weir() as weir:
        replica.sql("CREATE DATABASE own;\nCREATE TABLE own.noise (id INT);\nINSERT INTO own.noise VALUES (1), (2)")  # its log is another
        if kind == "mysql":
            replica.sql("RESET BINARY LOGS AND GTIDS;\nINSERT INTO own.noise VALUES (3)")
        name = fresh(primary, "CREATE TABLE t (id INT PRIMARY KEY)")
        follow(primary, replica, name)
        primary.sql(f"INSERT INTO {name}.t VALUES (1)")
        start(weir, primary, name)
        primary.sql(f"INSERT INTO {name}.t VALUES (2)")
        rows(weir, name, 2)
        weir.stop()
        primary.sql(f"INSERT INTO {name}.t VALUES (3);\nINSERT INTO {name}.t VALUES (4), (5)")
        wait_until(lambda: has_rows(replica, name, 5), 60)
        primary.sql("FLUSH BINARY LOGS")
        replica.sql("STOP REPLICA" if kind == "mysql" else "STOP SLAVE")
        replica.sql(f"INSERT INTO {name}.t VALUES (6)")
        weir.start()
        config = replica.connector(name, database_include_list=name)
        assert weir.rest("PUT", f"/connectors/{name}/config", config)[0] == 200
        found = wait_until(lambda: [r["id"] for _, r in rows(weir, name, 2)][-1] == 6 and rows(weir, name, 6), 60)
        assert [r["id"] for _, r in found] == [1, 2, 3, 4, 5, 6]
        replica.sql(f"INSERT INTO {name}.t VALUES (7)")
        assert [r["id"] for _, r in rows(weir, name, 7)] == [1, 2, 3, 4, 5, 6, 7]


def test_several_domains(mariadb, weir):
    name = fresh(mariadb, "CREATE TABLE t (id INT PRIMARY KEY)")
    start(weir, mariadb, name)
    for n in range(3):
        for domain in (0, 5, 9):
            session(mariadb, name, [f"SET SESSION gtid_domain_id = {domain}", f"INSERT INTO t VALUES ({10 * n + domain})"])
        rows(weir, name, 3 * (n + 1))
        weir.stop()
        weir.start()
    offsets = weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"]
    assert {g.split("-")[0] for g in offsets["gtids"].split(",")} == {"0", "5", "9"}
    session(mariadb, name, ["INSERT INTO t VALUES (100)"])
    assert [r["id"] for _, r in rows(weir, name, 10)] == [0, 5, 9, 10, 15, 19, 20, 25, 29, 100]


def test_purged_sources_are_no_obstacle(mysql):
    """A set with transactions of servers that are long purged: the start set has them, or the server would refuse."""
    with database("mysql") as own, Weir() as weir:
        own.sql("CREATE DATABASE p;\nCREATE TABLE p.t (id INT PRIMARY KEY);\nINSERT INTO p.t VALUES (1)")
        own.sql("SET GTID_NEXT='11111111-2222-3333-4444-555555555555:1';\nINSERT INTO p.t VALUES (2);\nSET GTID_NEXT=AUTOMATIC")
        weir.create_connector("p", own.connector("p", database_include_list="p"))
        events(weir.bootstrap, "p.p.t", 2)
        own.sql("INSERT INTO p.t VALUES (3)")
        events(weir.bootstrap, "p.p.t", 3)
        # an idle stream stores what lies behind its last transaction, so that nothing old is needed any more
        stored = lambda: weir.rest("GET", "/connectors/p/offsets")[1]["offsets"][0]["offset"]  # noqa: E731
        wait_until(lambda: "event" in stored(), 60)
        wait_until(lambda: "event" not in stored(), 60)
        weir.stop()
        own.sql("FLUSH BINARY LOGS;\nINSERT INTO p.t VALUES (4)")
        last = own.sql("SHOW BINARY LOG STATUS")[0][0]
        own.sql(f"PURGE BINARY LOGS TO '{last}'")
        weir.start()
        assert [k["id"] for k, _ in events(weir.bootstrap, "p.p.t", 4, timeout=40)] == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_the_binary_log_is_reset(kind):
    """What is stored means nothing any more: the task says so, and `when_needed` takes a new snapshot."""
    with database(kind) as own, Weir() as weir:
        own.sql("CREATE DATABASE r;\nCREATE TABLE r.t (id INT PRIMARY KEY);\nINSERT INTO r.t VALUES (1)")
        config = own.connector("r", database_include_list="r")
        weir.create_connector("r", config)
        events(weir.bootstrap, "r.r.t", 1)
        for i in range(2, 30):
            own.sql(f"INSERT INTO r.t VALUES ({i})")
        events(weir.bootstrap, "r.r.t", 29)
        weir.stop()
        own.sql("RESET BINARY LOGS AND GTIDS" if kind == "mysql" else "RESET MASTER")
        own.sql("INSERT INTO r.t VALUES (100)")
        weir.start()

        def trace():
            tasks = weir.rest("GET", "/connectors/r/status")[1]["tasks"]
            return tasks and tasks[0].get("trace")
        text = wait_until(trace, 40)
        assert "The connector is trying to read change stream starting at {" in text and "but this is no longer available on the server" in text
        assert weir.rest("PUT", "/connectors/r/config", {**config, "snapshot.mode": "when_needed"})[0] == 200
        weir.rest("POST", "/connectors/r/restart?includeTasks=true")
        found = events(weir.bootstrap, "r.r.t", 29 + 30, timeout=60)
        assert [v["op"] for _, v in found[29:]] == ["r"] * 30
        own.sql("INSERT INTO r.t VALUES (101)")
        assert events(weir.bootstrap, "r.r.t", 60, timeout=40)[-1][0] == {"id": 101}


# --- connections -----------------------------------------------------------------------------------------------------


class Writer(threading.Thread):
    """Transactions of a few rows, one after the other, until told to end."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name, self.done, self.count = server, name, threading.Event(), 0

    def run(self):
        with contextlib.closing(self.server.client(self.name)) as c, c.cursor() as cursor:
            while not self.done.is_set():
                cursor.execute("BEGIN")
                for _ in range(1 + self.count % 7):
                    cursor.execute("INSERT INTO t VALUES (%s, REPEAT('x', %s))", (self.count, self.count % 500))
                    self.count += 1
                cursor.execute("COMMIT")
                time.sleep(0.002)


@contextlib.contextmanager
def writing(server, name):
    writer = Writer(server, name)
    writer.start()
    try:
        yield writer
    finally:
        writer.done.set()
        writer.join()


def each_once(weir, name, writer):
    found = rows(weir, name, writer.count)
    assert [r["id"] for _, r in found] == list(range(writer.count))


def test_the_network_is_cut_again_and_again(server):
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(600))")
    with TcpProxy(server.port) as proxy, Weir() as weir:
        start(weir, server, name, database_port=proxy.port)
        with writing(server, name) as writer:
            for n in range(8):
                wait_until(lambda n=n: writer.count > 150 * (n + 1))
                if n % 2:
                    proxy.cut_after = 3000 + 500 * n  # within an event
                proxy.cut_all()
                wait_until(lambda: proxy.sockets)
                proxy.cut_after = None
        each_once(weir, name, writer)
        assert "Keepalive: Trying to restore lost connection" in weir.log()


def test_dump_threads_are_killed(server, weir):
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(600))")
    start(weir, server, name)
    with writing(server, name) as writer:
        for n in range(5):
            wait_until(lambda n=n: writer.count > 100 * (n + 1))
            connected = weir.log().count("Connected to binlog")
            threads = wait_until(lambda: [r[0] for r in server.sql("SHOW PROCESSLIST") if r[1] == "debezium" and "Binlog Dump" in r[4]])
            for thread in threads:
                with contextlib.suppress(Exception):  # it has ended by itself
                    server.sql(f"KILL {thread}")
            wait_until(lambda c=connected: weir.log().count("Connected to binlog") > c, 40)
    each_once(weir, name, writer)


def test_a_silent_connection_is_given_up(server):
    """Neither events nor heartbeats within the keep-alive interval: connected anew, nothing lost."""
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(600))")
    with TcpProxy(server.port) as proxy, Weir() as weir:
        start(weir, server, name, database_port=proxy.port, connect_keep_alive_interval_ms=2000)
        session(server, name, ["INSERT INTO t VALUES (0, 'a')"])
        rows(weir, name, 1)
        connected = weir.log().count("Connected to binlog")
        proxy.silent.set()
        session(server, name, ["INSERT INTO t VALUES (1, 'b')"])
        wait_until(lambda: "no event or heartbeat for 2000 ms" in weir.log(), 60)
        proxy.silent.clear()
        assert [r["id"] for _, r in rows(weir, name, 2)] == [0, 1]
        assert weir.log().count("Connected to binlog") > connected


def test_an_idle_connection_stays(server, weir):
    """The server's heartbeats keep it: no reconnection while nothing happens."""
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(600))")
    start(weir, server, name, connect_keep_alive_interval_ms=1000, heartbeat_interval_ms=300)
    session(server, name, ["INSERT INTO t VALUES (0, 'a')"])
    rows(weir, name, 1)
    read_all(weir.bootstrap, f"__debezium-heartbeat.{name}", 15, 60)  # more than four intervals
    assert "restore lost connection" not in weir.log()


def test_two_connectors_with_one_server_id(server, weir):
    """Told with its reason and the other's name, and nothing is lost once the second one is gone or has another id."""
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(600))")
    start(weir, server, name)
    other = {**server.connector(f"{name}b", database_include_list=name), "name": f"{name}b"}
    warning = f"connectors '{name}b' and '{name}' read 127.0.0.1:{server.port} with the same database.server.id"
    weir.create_connector(f"{name}b", other)
    wait_until(lambda: warning in weir.log())

    def told():
        for own, of in ((name, f"{name}b"), (f"{name}b", name)):
            for task in weir.rest("GET", f"/connectors/{own}/status")[1]["tasks"]:
                trace = task.get("trace", "")
                if " with the same server_uuid/server_id " in trace:
                    return f"connector '{of}' of this worker reads with database.server.id" in trace or pytest.fail(trace)
        return False
    session(server, name, ["INSERT INTO t VALUES (0, 'a')"])
    try:
        wait_until(told, 30)
    finally:
        weir.rest("DELETE", f"/connectors/{name}b")
    assert weir.log().count(warning) == 1
    weir.rest("POST", f"/connectors/{name}/restart?includeTasks=true&onlyFailed=true")
    session(server, name, ["INSERT INTO t VALUES (1, 'b')"])
    assert [r["id"] for _, r in rows(weir, name, 2)] == [0, 1]


def test_two_connectors_with_one_prefix(server, weir):
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(600))")
    start(weir, server, name)
    other = {**server.connector(name, database_include_list=name), "name": f"{name}b", "database.server.id": "4711"}
    weir.create_connector(f"{name}b", other)
    wait_until(lambda: f"connectors '{name}b' and '{name}' have the same topic.prefix" in weir.log())
    assert f"connectors '{name}b' and '{name}' read" not in weir.log()
    weir.rest("DELETE", f"/connectors/{name}b")


# --- statements ------------------------------------------------------------------------------------------------------


def test_a_storm_of_alters(server, weir):
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY)")
    start(weir, server, name)
    total = int(os.environ.get("ALTERS", "1000"))
    columns, expected, statements = [], [], []
    for n in range(total):
        if n % 4 == 3 and columns:
            statements.append(f"ALTER TABLE t DROP COLUMN {columns.pop(n % len(columns))}")
        elif n % 4 == 2 and columns:
            old = columns[n % len(columns)]
            columns[n % len(columns)] = f"r{n}"
            statements.append(f"ALTER TABLE t CHANGE {old} r{n} {'BIGINT' if n % 8 == 2 else 'VARCHAR(20)'}")
        else:
            columns.append(f"c{n}")
            statements.append(f"ALTER TABLE t ADD COLUMN c{n} INT DEFAULT {n}")
        if len(columns) > 12:
            statements.append(f"ALTER TABLE t DROP COLUMN {columns.pop(0)}")
        statements.append(f"INSERT INTO t (id) VALUES ({n})")
        expected.append((n, sorted(["id", *columns])))
    session(server, name, statements)
    found = rows(weir, name, total)
    assert [(r["id"], sorted(r)) for _, r in found] == expected
    weir.stop()
    session(server, name, ["INSERT INTO t (id) VALUES (-1)"])
    weir.start()
    assert rows(weir, name, total + 1)[-1][1]["id"] == -1


def test_a_statement_that_is_not_understood(mariadb, weir):
    """Nothing stops: it is logged with its text, and the table is read again. (Servers have no statement that weir does not know, so
    this one is changed on the way.)"""
    name = fresh(mariadb, "CREATE TABLE t (id INT PRIMARY KEY, old_name INT);\nCREATE TABLE other (id INT PRIMARY KEY)")
    with TcpProxy(mariadb.port) as proxy:
        proxy.replace = {b"ALTER TABLE t RENAME COLUMN": b"XYZZY TABLE t SANS FRILLS  ", b"ALTER TABLE other ADD COLUMN n INT": b"XYZZY MABLE other XXX COLUMN n INT"}
        start(weir, mariadb, name, database_port=proxy.port)
        session(mariadb, name, ["INSERT INTO t VALUES (1, 1)", "ALTER TABLE t RENAME COLUMN old_name TO new_name", "INSERT INTO t VALUES (2, 2)",
                                "ALTER TABLE other ADD COLUMN n INT", "INSERT INTO other VALUES (1, 5)"])
        assert [r for _, r in rows(weir, name, 2)] == [{"id": 1, "old_name": 1}, {"id": 2, "new_name": 2}]
        assert [r for _, r in rows(weir, name, 1, "other")] == [{"id": 1, "n": 5}]
    log = weir.log()
    assert "was not understood" in log and "XYZZY TABLE t SANS FRILLS   old_name TO new_name" in log
    assert f"the structure of table {name}.t was read again from the server" in log


def test_types_that_the_server_changes_by_itself(server, weir):
    """A VARCHAR that is too long becomes a text without a word in the statement: seen by the types of the rows."""
    name = fresh(server, "CREATE TABLE t (id INT PRIMARY KEY)")
    start(weir, server, name)
    session(server, name, ["SET SESSION sql_mode = ''", "ALTER TABLE t ADD COLUMN v VARCHAR(70000)", "INSERT INTO t VALUES (1, REPEAT('a', 66000))",
                           "CREATE TABLE u (id INT PRIMARY KEY, v VARBINARY(70000))", "INSERT INTO u VALUES (1, 'bytes')"])
    assert rows(weir, name, 1)[0][1]["v"] == "a" * 66000
    assert rows(weir, name, 1, "u")[0][1] == {"id": 1, "v": "Ynl0ZXM="}
