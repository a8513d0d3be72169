"""Signals, incremental and blocking snapshots, notifications, on real servers."""
import json
import os
import random
import threading
import time

import pytest
from confluent_kafka.admin import AdminClient

from kafka_io import events, producer, read_all
from tcp_proxy import TcpProxy
from weirproc import Weir, wait_until

SERVERS = ["mariadb", "mysql"]


@pytest.fixture(params=SERVERS)
def server(request):
    return request.getfixturevalue(request.param)


def rows_now(found):
    """What a consumer that applies all events has: key -> row."""
    rows = {}
    for key, value in found:
        if value is None or value["after"] is None:
            rows.pop(json.dumps(key), None)
        else:
            rows[json.dumps(key)] = value["after"]
    return rows


def make(server, name, more=""):
    server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name};\nUSE {name};\n"
               "CREATE TABLE signals (id VARCHAR(42) PRIMARY KEY, type VARCHAR(32) NOT NULL, data VARCHAR(2048) NULL);\n"
               f"GRANT INSERT, DELETE ON {name}.signals TO 'debezium'@'%';\n" + more)


def start(server, weir, name, **extra):
    options = {"database_include_list": name, "signal_data_collection": f"{name}.signals", "snapshot_mode": "no_data",
               "include_schema_changes": "false", "notification_enabled_channels": "sink,log", "signal_poll_interval_ms": "100",
               "notification_sink_topic_name": f"{name}_notes", **extra}
    weir.create_connector(name, server.connector(name, **options))
    wait_until(lambda: "Connected to binlog" in weir.log())


def signal(server, name, id_, type_, data):
    with server.client(name) as c, c.cursor() as cursor:
        cursor.execute("INSERT INTO signals VALUES (%s, %s, %s)", (id_, type_, json.dumps(data)))


def execute(server, name, id_, tables, **more):
    signal(server, name, id_, "execute-snapshot", {"data-collections": [f"{name}.{t}" for t in tables], **more})


def notes(weir, name, id_=None):
    try:
        found = read_all(weir.bootstrap, f"{name}_notes", timeout=2)
    except AssertionError:
        return []
    values = [json.loads(m.value()) for m in found]
    return [v for v in values if id_ is None or v["id"] == id_]


def wait_completed(weir, name, id_, timeout=90):
    wait_until(lambda: any(n["type"] == "COMPLETED" for n in notes(weir, name, id_)), timeout, interval=0.3)


def table(server, name, t, *columns):
    with server.client(name) as c, c.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM {t}")
        return [dict(zip(columns, row)) for row in cursor.fetchall()]


class Writer(threading.Thread):
    """Changes rows of t (id, v) until it is told to stop: updates, deletes, inserts, keys that move."""
    def __init__(self, server, name, ids):
        super().__init__()
        self.server, self.name, self.ids, self.done, self.fault = server, name, ids, threading.Event(), None
        self.changes = 0

    def run(self):
        rng = random.Random(5)
        try:
            with self.server.client(self.name) as c, c.cursor() as cursor:
                while not self.done.is_set():
                    n = rng.randrange(self.ids)
                    kind = rng.randrange(4)
                    if kind == 0:
                        cursor.execute(f"DELETE FROM t WHERE id = {n}")
                    elif kind == 1:
                        cursor.execute(f"INSERT IGNORE INTO t VALUES ({n}, {self.changes})")
                    elif kind == 2:
                        cursor.execute(f"UPDATE IGNORE t SET id = {rng.randrange(self.ids)} WHERE id = {n}")
                    else:
                        cursor.execute(f"UPDATE t SET v = {self.changes} WHERE id BETWEEN {n} AND {n + 5}")
                    self.changes += 1
        except Exception as e:  # shown by stop
            self.fault = e

    def stop(self):
        self.done.set()
        self.join()
        assert self.fault is None, self.fault
        assert self.changes > 50


def fill(rows):
    return ("CREATE TABLE t (id INT PRIMARY KEY, v BIGINT);\n"
            f"INSERT INTO t SELECT a.n * 1000 + b.n * 100 + c.n * 10 + d.n, 0 FROM {', '.join(DIGITS.format(x) for x in 'abcd')}"
            f" WHERE a.n * 1000 + b.n * 100 + c.n * 10 + d.n < {rows}")


DIGITS = "(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) {}"


def check_equal(server, weir, name):
    """The events end in what the table is."""
    server.sql(f"INSERT INTO {name}.t VALUES (1000000, -1)")
    wait_until(lambda: any(v and v["after"] and v["after"]["id"] == 1000000 for _, v in events(weir.bootstrap, f"{name}.{name}.t")), 60, interval=0.3)
    want = {json.dumps({"id": r["id"]}): r for r in table(server, name, "t", "id", "v")}
    assert rows_now(events(weir.bootstrap, f"{name}.{name}.t")) == want


@pytest.mark.parametrize("strategy", ["INSERT_INSERT", "INSERT_DELETE"])
def test_writes_while_a_snapshot_runs(server, weir, strategy):
    name = "inc_" + strategy.lower()
    make(server, name, fill(5000))
    start(server, weir, name, incremental_snapshot_chunk_size=200, incremental_snapshot_watermarking_strategy=strategy)
    writer = Writer(server, name, 6000)
    writer.start()
    execute(server, name, "one", ["t"])
    wait_completed(weir, name, "one")
    writer.stop()
    check_equal(server, weir, name)
    read = [v for _, v in events(weir.bootstrap, f"{name}.{name}.t") if v and v["op"] == "r"]
    assert len(read) > 2000
    assert {v["source"]["snapshot"] for v in read} == {"incremental"}
    kinds = [n["type"] for n in notes(weir, name, "one")]
    assert kinds[0] == "STARTED" and kinds[-2:] == ["TABLE_SCAN_COMPLETED", "COMPLETED"] and "IN_PROGRESS" in kinds
    offset = weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"]
    wait_until(lambda: "incremental_snapshot_collections" not in weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"])
    assert "snapshot" not in offset


@pytest.mark.parametrize("read_only", ["true", "false"])
def test_without_writing(server, read_only):
    """read.only=true, and no signal table at all: windows by position."""
    if server.kind == "mysql" and server.sql("SELECT @@gtid_mode")[0][0] != "ON":
        for mode in ("OFF_PERMISSIVE", "ON_PERMISSIVE"):
            server.sql(f"SET GLOBAL gtid_mode = {mode}")
        server.sql("SET GLOBAL enforce_gtid_consistency = ON;\nSET GLOBAL gtid_mode = ON")
    name = "inc_ro_" + read_only
    make(server, name, fill(5000))
    server.sql(f"REVOKE INSERT, DELETE ON {name}.signals FROM 'debezium'@'%'")
    with Weir() as weir:
        extra = {"read_only": "true"} if read_only == "true" else {"signal_data_collection": ""}
        start(server, weir, name, incremental_snapshot_chunk_size=100, signal_enabled_channels="source,kafka", signal_kafka_topic=f"{name}_s", **extra)
        writer = Writer(server, name, 6000)
        writer.start()
        kafka = producer(weir.bootstrap)
        data = {"id": "one", "type": "execute-snapshot", "data": {"data-collections": [f"{name}.t"]}}
        kafka.produce(f"{name}_s", json.dumps(data), key=name, partition=0)
        assert kafka.flush(10) == 0
        wait_until(lambda: sum(1 for _, v in events(weir.bootstrap, f"{name}.{name}.t") if v and v["op"] == "r") > 300, 60)
        weir.kill()
        weir.start()
        wait_completed(weir, name, "one")
        writer.stop()
        check_equal(server, weir, name)
        assert sum(1 for _, v in events(weir.bootstrap, f"{name}.{name}.t") if v and v["op"] == "r") > 2000
        assert table(server, name, "signals", "id") == []


def test_kill_and_restart_in_the_middle(server):
    name = "inc_kill"
    make(server, name, fill(9000))
    with Weir() as weir:
        start(server, weir, name, incremental_snapshot_chunk_size=10)
        writer = Writer(server, name, 9500)
        writer.start()
        execute(server, name, "one", ["t"])
        for round_ in range(4):
            have = len(events(weir.bootstrap, f"{name}.{name}.t"))
            wait_until(lambda: sum(1 for _, v in events(weir.bootstrap, f"{name}.{name}.t") if v and v["op"] == "r") > 300 * (round_ + 1), 60)
            weir.kill() if round_ % 2 == 0 else weir.stop()
            weir.start()
            assert len(events(weir.bootstrap, f"{name}.{name}.t")) >= have
        wait_completed(weir, name, "one")
        writer.stop()
        check_equal(server, weir, name)
        read = [json.dumps(k) for k, v in events(weir.bootstrap, f"{name}.{name}.t") if v and v["op"] == "r"]
        assert len(read) - len(set(read)) < 50, "more than one chunk came twice"  # keys move, a few may come again
        assert "Incremental snapshot in progress, need to read new chunk on start" in weir.log()


def test_keys_of_all_kinds(server, weir):
    name = "inc_keys"
    kinds = {
        "big": ("BIGINT UNSIGNED", ["0", "9007199254740993", "9007199254740994", "18446744073709551614", "18446744073709551615"]),
        "neg": ("INT", ["-5", "-1", "0", "7"]),
        "dec": ("DECIMAL(30,10)", ["-12345678901234567890.0000000001", "-0.5", "0", "12345678901234567890.0000000002", "12345678901234567890.0000000003"]),
        "dbl": ("DOUBLE", ["-1e200", "0.1", "0.30000000000000004", "1e-300", "3.5"]),
        "flt": ("FLOAT", ["0.1", "0.100001", "16777216", "123456.78", "-3.25"]),
        "chr": ("VARCHAR(40) CHARACTER SET utf8mb4", ["''", "'a'", "'B'", "'it''s'", "'\\\\back'", "'\u00e4\u00f6'", "'\U0001F600'", "'z'"]),
        "latin": ("VARCHAR(40) CHARACTER SET latin1", ["'a'", "'\u00e4'", "'\u00fc'", "'z'"]),
        "bin": ("VARBINARY(20)", ["x''", "x'00'", "x'00ff'", "x'27'", "x'5c'", "x'ffff'"]),
        "fix": ("BINARY(4)", ["x'00000000'", "x'01020304'", "x'27000000'"]),
        "day": ("DATE", ["'1000-01-01'", "'1970-01-01'", "'9999-12-31'"]),
        "stamp": ("TIMESTAMP(3)", ["'2001-01-01 00:00:00'", "'2001-01-01 00:00:00.100'", "'2030-05-05 10:10:10.123'"]),
        "dt": ("DATETIME(6)", ["'1000-01-01 00:00:00'", "'2001-01-01 00:00:00.000001'", "'2001-01-01 00:00:00.000002'"]),
        "tm": ("TIME(2)", ["'-800:00:00.50'", "'-00:00:01'", "'00:00:00'", "'800:00:00'"]),
        "yr": ("YEAR", ["1901", "2000", "2155"]),
        "en": ("ENUM('z','a','m')", ["'z'", "'a'", "'m'"]),
        "st": ("SET('b','a')", ["''", "'b'", "'a'", "'b,a'"]),
        "bt": ("BIT(12)", ["b'0'", "b'1'", "b'111111111111'"]),
    }
    sql = "".join(f"CREATE TABLE k_{k} (k {t} NOT NULL PRIMARY KEY, v INT);\n" for k, (t, _) in kinds.items())
    sql += "".join(f"INSERT INTO k_{k} VALUES ({v}, {i});\n" for k, (_, values) in kinds.items() for i, v in enumerate(values))
    sql += ("CREATE TABLE pairs (a ENUM('y','x') NOT NULL, b VARCHAR(5) NOT NULL, n INT, PRIMARY KEY (b, a));\n"
            "INSERT INTO pairs VALUES ('y','1',1),('x','1',2),('y','2',3),('x','2',4),('y','3',5);\n"
            "CREATE TABLE nokey (u INT NULL, x INT);\nINSERT INTO nokey VALUES (NULL,0),(1,1),(2,2),(3,3);\n"
            "CREATE TABLE dup (id INT PRIMARY KEY, g INT NULL);\nINSERT INTO dup VALUES (1,5),(2,5),(3,5),(4,NULL),(5,NULL),(6,NULL),(7,1);\n"
            "CREATE TABLE `odd-name.x` (`a b` INT PRIMARY KEY, `q``t` INT);\nINSERT INTO `odd-name.x` VALUES (1,1),(2,2),(3,3)")
    make(server, name, sql)
    start(server, weir, name, incremental_snapshot_chunk_size=2)
    execute(server, name, "all", ["k_.*", "pairs", "nokey", "odd-name\\.x", "missing"])
    wait_completed(weir, name, "all")
    for k, (_, values) in kinds.items():
        found = [v["after"]["v"] for _, v in events(weir.bootstrap, f"{name}.{name}.k_{k}", len(values))]
        assert sorted(found) == list(range(len(values))), k
    assert [v["after"]["n"] for _, v in events(weir.bootstrap, f"{name}.{name}.pairs", 5)] == [1, 2, 3, 4, 5]
    assert len(events(weir.bootstrap, f"{name}.{name}.odd-name.x", 3)) == 3
    status = {n["additional_data"]["scanned_collection"]: n["additional_data"]["status"]
              for n in notes(weir, name, "all") if n["type"] == "TABLE_SCAN_COMPLETED"}
    assert status[f"{name}.nokey"] == "NO_PRIMARY_KEY" and status[f"{name}.missing"] == "UNKNOWN_SCHEMA"
    execute(server, name, "surrogate", ["nokey"], **{"surrogate-key": "u"})
    wait_completed(weir, name, "surrogate")
    assert [v["after"]["x"] for _, v in events(weir.bootstrap, f"{name}.{name}.nokey", 4)] == [0, 1, 2, 3]
    execute(server, name, "groups", ["dup"], **{"surrogate-key": "g"})  # not unique: the primary key breaks ties
    wait_completed(weir, name, "groups")
    assert [v["after"]["id"] for _, v in events(weir.bootstrap, f"{name}.{name}.dup", 7)] == [4, 5, 6, 7, 1, 2, 3]
    execute(server, name, "wrong", ["dup"], **{"surrogate-key": "none"})
    wait_completed(weir, name, "wrong")
    assert "Surrogate key \"none\" doesn't exist in table" in weir.log()
    execute(server, name, "bad", ["dup"], **{"additional-conditions": [{"data-collection": f"{name}.dup", "filter": "no_such_column = 1"}]})
    wait_completed(weir, name, "bad")
    assert [n["additional_data"]["status"] for n in notes(weir, name, "bad") if n["type"] == "TABLE_SCAN_COMPLETED"] == ["SQL_EXCEPTION"]
    weir.wait_running(name)


def test_events_replace_rows_of_the_chunk_by_any_key(server, weir):
    """Values of a key look different in a result and in the binlog: fractions, floats, padded bytes."""
    name = "inc_dedup"
    make(server, name, "CREATE TABLE a (k TIMESTAMP(3) NOT NULL DEFAULT '2001-01-01', f FLOAT NOT NULL, b BINARY(6) NOT NULL, c CHAR(5) NOT NULL, "
         "d DECIMAL(9,3) NOT NULL, t TIME(3) NOT NULL, v BIGINT, PRIMARY KEY (k, f, b, c, d, t));\n" +
         "".join(f"INSERT INTO a VALUES ('2001-01-01 00:00:0{i}.{i}00', {i}.1, x'0{i}00', 'c{i}', {i}.5, '-0{i}:00:00.{i}', 0);\n" for i in range(10)))
    start(server, weir, name)
    done = threading.Event()

    def write():
        with server.client(name) as c, c.cursor() as cursor:
            n = 0
            while not done.is_set():
                n += 1
                cursor.execute(f"UPDATE a SET v = {n}")
    writer = threading.Thread(target=write)
    writer.start()
    for i in range(20):
        execute(server, name, f"s{i}", ["a"])
        wait_completed(weir, name, f"s{i}")
    done.set()
    writer.join()
    found = events(weir.bootstrap, f"{name}.{name}.a")
    last = {}
    for key, value in found:  # a row that was read never tells something older than what the stream has told
        k = json.dumps({x: y for x, y in key.items() if x == "d"})
        assert value["after"]["v"] >= last.get(k, 0), (key, value)
        last[k] = value["after"]["v"]


def test_tables_change_under_an_incremental_snapshot(server, weir):
    name = "inc_ddl"
    make(server, name, fill(9000))
    start(server, weir, name, incremental_snapshot_chunk_size=10)
    execute(server, name, "one", ["t"])
    wait_until(lambda: notes(weir, name, "one"))
    for i in range(4):
        have = len(notes(weir, name, "one"))
        wait_until(lambda: len(notes(weir, name, "one")) > have)
        assert i > 1 or not any(n["type"] == "COMPLETED" for n in notes(weir, name, "one"))
        server.sql(f"ALTER TABLE {name}.t ADD COLUMN x{i} INT DEFAULT {i} FIRST;\nUPDATE {name}.t SET v = v + 1 WHERE id % 7 = 0;\nDELETE FROM {name}.t WHERE id = {i}")
    wait_completed(weir, name, "one")
    server.sql(f"UPDATE {name}.t SET v = -7 WHERE id = 8999")
    wait_until(lambda: any(v and v["after"] and v["after"]["v"] == -7 for _, v in events(weir.bootstrap, f"{name}.{name}.t")), 60, interval=0.3)
    have = {k: r["v"] for k, r in rows_now(events(weir.bootstrap, f"{name}.{name}.t")).items()}
    assert have == {json.dumps({"id": r["id"]}): r["v"] for r in table(server, name, "t", "id", "v")}
    last = events(weir.bootstrap, f"{name}.{name}.t")[-1][1]["after"]
    assert list(last) == ["x3", "x2", "x1", "x0", "id", "v"]
    server.sql(f"CREATE TABLE {name}.gone (id INT PRIMARY KEY);\nINSERT INTO {name}.gone VALUES (1),(2),(3)")
    signal(server, name, "p", "pause-snapshot", {})  # nothing runs: only a line in the log
    execute(server, name, "two", ["gone"])
    server.sql(f"DROP TABLE {name}.gone")
    wait_completed(weir, name, "two")
    weir.wait_running(name)


def test_pause_resume_stop(mariadb, weir):
    name = "inc_ctl"
    make(mariadb, name, fill(6000) + ";\nCREATE TABLE other (id INT PRIMARY KEY);\nINSERT INTO other VALUES (1)")
    start(mariadb, weir, name, incremental_snapshot_chunk_size=5)
    execute(mariadb, name, "one", ["t", "other"])
    wait_until(lambda: any(n["type"] == "IN_PROGRESS" for n in notes(weir, name, "one")))
    signal(mariadb, name, "p", "pause-snapshot", {"type": "incremental"})
    wait_until(lambda: any(n["type"] == "PAUSED" for n in notes(weir, name, "one")))
    count = len(events(weir.bootstrap, f"{name}.{name}.t"))
    mariadb.sql(f"INSERT INTO {name}.t VALUES (90001, 1)")
    wait_until(lambda: events(weir.bootstrap, f"{name}.{name}.t")[-1][0] == {"id": 90001})  # the stream goes on
    assert len(events(weir.bootstrap, f"{name}.{name}.t")) <= count + 6
    weir.stop()
    weir.start()  # and it is still paused
    mariadb.sql(f"INSERT INTO {name}.t VALUES (90002, 1)")
    wait_until(lambda: events(weir.bootstrap, f"{name}.{name}.t")[-1][0] == {"id": 90002})
    signal(mariadb, name, "r", "resume-snapshot", {})
    signal(mariadb, name, "pb", "pause-snapshot", {"type": "BLOCKING"})  # not what runs
    signal(mariadb, name, "xb", "stop-snapshot", {"type": "BLOCKING"})
    wait_until(lambda: len(events(weir.bootstrap, f"{name}.{name}.t")) > count + 50)
    signal(mariadb, name, "x", "stop-snapshot", {"data-collections": [f"{name}.t"], "type": "INCREMENTAL"})
    wait_completed(weir, name, "one")
    assert len(events(weir.bootstrap, f"{name}.{name}.t")) < 6000
    assert len(events(weir.bootstrap, f"{name}.{name}.other", 1)) == 1
    execute(mariadb, name, "two", ["t"])
    wait_until(lambda: any(n["type"] == "IN_PROGRESS" for n in notes(weir, name, "two")))
    signal(mariadb, name, "y", "stop-snapshot", {})
    wait_until(lambda: any(n["type"] == "ABORTED" for n in notes(weir, name, "two")))
    assert not any(n["type"] == "COMPLETED" for n in notes(weir, name, "two"))


def test_channels_kafka_and_file(mariadb, tmp_path):
    name = "inc_channels"
    path = tmp_path / "signals.txt"
    make(mariadb, name, "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1),(2)")
    with Weir() as weir:
        kafka = producer(weir.bootstrap)

        def send(id_, type_="execute-snapshot", key=name, **data):
            kafka.produce(f"{name}_signal", json.dumps({"id": id_, "type": type_, "data": data}), key=key, partition=0)
            assert kafka.flush(10) == 0
        send("old", **{"data-collections": [f"{name}.t"]})  # before the connector was made
        start(mariadb, weir, name, signal_enabled_channels="kafka,file", signal_kafka_topic=f"{name}_signal", signal_file=str(path))
        send("other", key="other", **{"data-collections": [f"{name}.t"]})
        send("first", **{"data-collections": [f"{name}.t"]})
        wait_completed(weir, name, "first")
        assert weir.rest("PUT", f"/connectors/{name}/stop")[0] == 204
        wait_until(lambda: not weir.rest("GET", f"/connectors/{name}/status")[1]["tasks"])
        send("down", **{"data-collections": [f"{name}.t"]})
        assert weir.rest("PUT", f"/connectors/{name}/resume")[0] == 202
        wait_completed(weir, name, "down")
        weir.kill()
        weir.start()
        kafka = producer(weir.bootstrap)
        path.write_text('{"id":"f1","type":"log","data":{"message":"file says {}"}}\nnot json\n'
                        '{"id":"f2","type":"execute-snapshot","data":{"data-collections":["' + name + '.t"]}}\n')
        wait_completed(weir, name, "f2")
        assert os.path.getsize(path) == 0
        assert 'file says {"ts_sec":' in weir.log() and "a line of" in weir.log()
        execute(mariadb, name, "source", ["t"])  # this channel is off
        send("last", **{"data-collections": [f"{name}.t"]})
        wait_completed(weir, name, "last")
        admin = AdminClient({"bootstrap.servers": weir.bootstrap})
        for done in admin.delete_topics([f"{name}_signal"]).values():
            done.result(10)
        time.sleep(0.5)
        send("anew", **{"data-collections": [f"{name}.t"]})  # at an offset that had been read before
        wait_completed(weir, name, "anew")
        ids = [n["id"] for n in notes(weir, name) if n["type"] == "STARTED" and n["aggregate_type"] == "Incremental Snapshot"]
        assert ids == ["first", "down", "f2", "last", "anew"]
        assert [k["id"] for k, v in events(weir.bootstrap, f"{name}.{name}.t", 10)] == [1, 2] * 5


@pytest.mark.parametrize("threads", [1, 3])
def test_blocking_snapshot(server, weir, threads):
    name = "blocking"
    make(server, name, "CREATE TABLE a (id INT PRIMARY KEY, v INT);\nINSERT INTO a VALUES (1,1),(2,2),(3,3);\nCREATE TABLE b (id INT PRIMARY KEY);\n"
         "INSERT INTO b VALUES (1);\nCREATE TABLE c (id INT PRIMARY KEY);\nINSERT INTO c VALUES (1)")
    start(server, weir, name, snapshot_max_threads=threads)
    server.sql(f"INSERT INTO {name}.a VALUES (4, 4)")
    execute(server, name, "one", ["(a|b)"], type="blocking",
            **{"additional-conditions": [{"data-collection": f"{name}.a", "filter": f"SELECT id, v FROM {name}.a WHERE id > 1 ORDER BY id"}]})
    server.sql(f"ALTER TABLE {name}.a ADD COLUMN w INT DEFAULT 9;\nINSERT INTO {name}.a VALUES (5, 5, 5);\nINSERT INTO {name}.b VALUES (2)")
    a = events(weir.bootstrap, f"{name}.{name}.a", 5)
    wait_until(lambda: events(weir.bootstrap, f"{name}.{name}.a")[-1][1]["op"] == "c" and len(events(weir.bootstrap, f"{name}.{name}.a")) >= 5)
    a = events(weir.bootstrap, f"{name}.{name}.a")
    assert [v["op"] for _, v in a][0] == "c" and [v["op"] for _, v in a][-1] == "c"
    read = [v for _, v in a if v["op"] == "r"]
    assert [v["after"]["id"] for v in read][:3] == [2, 3, 4]
    assert read[0]["source"]["snapshot"] == "first" or threads > 1
    b = events(weir.bootstrap, f"{name}.{name}.b", 2)
    marks = [v["source"]["snapshot"] for _, v in a + b if v["op"] == "r"]
    assert b[0][1]["op"] == "r" and marks.count("first") == 1 and marks.count("last") == 1
    with pytest.raises(AssertionError):
        read_all(weir.bootstrap, f"{name}.{name}.c", 1, timeout=1)
    kinds = [n["type"] for n in notes(weir, name) if n["aggregate_type"] == "Initial Snapshot"]
    want = ["STARTED", "COMPLETED", "STARTED", "IN_PROGRESS", "TABLE_SCAN_COMPLETED", "IN_PROGRESS", "TABLE_SCAN_COMPLETED", "COMPLETED"]
    if "Table definition has changed" in weir.log():  # the ALTER came in between: once more
        kinds = kinds[:2] + kinds[kinds.index("ABORTED") + 1:]
    assert kinds == want or (threads > 1 and sorted(kinds) == sorted(want) and kinds[-1] == "COMPLETED")
    assert "Streaming will now pause" in weir.log() and "Streaming resumed" in weir.log()
    execute(server, name, "bad", ["a"], type="blocking", **{"additional-conditions": [{"data-collection": f"{name}.a", "filter": "SELECT nothing"}]})
    wait_until(lambda: any(n["type"] == "ABORTED" for n in notes(weir, name)))
    server.sql(f"INSERT INTO {name}.c VALUES (2)")
    assert [k["id"] for k, _ in events(weir.bootstrap, f"{name}.{name}.c", 1)] == [2]
    weir.wait_running(name)


def test_names_that_are_none_are_told(mariadb, weir):
    name = "sig_none"
    make(mariadb, name, "CREATE TABLE a (id INT PRIMARY KEY);\nINSERT INTO a VALUES (1);\nCREATE TABLE ex (id INT PRIMARY KEY)")
    start(mariadb, weir, name, table_exclude_list=f"{name}.ex")
    for kind in ("incremental", "blocking"):
        execute(mariadb, name, kind, ["a", "none", "ex"], type=kind)
        line = f"WARN  cdc.mysql signal '{kind}': no captured table matches '{name}.none', '{name}.ex'; names have the form database.table"
        wait_until(lambda: line in weir.log())
    assert [v["op"] for _, v in events(weir.bootstrap, f"{name}.{name}.a", 2)] == ["r", "r"]


def test_signals_that_say_nothing(mariadb, weir):
    name = "sig_bad"
    make(mariadb, name, "CREATE TABLE t (id INT PRIMARY KEY)")
    start(mariadb, weir, name)
    mariadb.sql(f"INSERT INTO {name}.signals VALUES ('a','unknown','{{}}'),('b','execute-snapshot','no json'),('c','execute-snapshot','{{}}'),"
                "('d','log','{\"message\":\"now {}\"}'),('e','stop-snapshot',NULL),('f','set-binlog-position','{\"binlog_filename\":\"x\",\"binlog_position\":4}')")
    wait_until(lambda: "set-binlog-position" in weir.log() or "the position is not changed" in weir.log())
    log = weir.log()
    assert "Signal 'a' has been received but the type 'unknown' is not recognized" in log
    assert "Signal 'b' has been received but the data 'no json' cannot be parsed" in log
    assert "Signal 'c' is not executed: data-collections is missing" in log
    assert 'now {"ts_sec":' in log
    weir.wait_running(name)


def test_no_right_to_write_the_signal_table(mariadb, weir):
    name = "sig_right"
    make(mariadb, name, "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)")
    mariadb.sql(f"REVOKE INSERT, DELETE ON {name}.signals FROM 'debezium'@'%'")
    start(mariadb, weir, name)
    execute(mariadb, name, "one", ["t"])
    wait_until(lambda: any(n["type"] == "ABORTED" for n in notes(weir, name, "one")))
    assert f"GRANT INSERT, DELETE ON {name}.signals" in weir.log()
    mariadb.sql(f"INSERT INTO {name}.t VALUES (2)")
    assert len(events(weir.bootstrap, f"{name}.{name}.t", 1)) == 1
    weir.wait_running(name)


def test_the_session_of_the_snapshot_is_killed(mariadb, weir):
    name = "sig_session"
    make(mariadb, name, fill(3000))
    start(mariadb, weir, name, incremental_snapshot_chunk_size=20)
    execute(mariadb, name, "one", ["t"])
    for _ in range(3):
        time.sleep(0.05)
        with mariadb.client() as c, c.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'debezium' AND command <> 'Binlog Dump'")
            for (id_,) in cursor.fetchall():
                try:
                    cursor.execute(f"KILL {id_}")
                except Exception:  # gone already
                    pass
    wait_completed(weir, name, "one")
    check_equal(mariadb, weir, name)


def read_rows(weir, name, t, column):
    return sorted(v["after"][column] for _, v in events(weir.bootstrap, f"{name}.{name}.{t}") if v and v["op"] == "r")


def test_keys_that_options_show_alike(mariadb, weir):
    """A mask, a cut text, doubles, milliseconds, booleans, zero dates: values of a key look the same, its rows are all there."""
    name = "inc_alike"
    kinds = {
        "mail": ("VARCHAR(40)", ["'a@x'", "'b@x'", "'c@x'", "'d@x'", "'e@x'"]),
        "cut": ("VARCHAR(40)", ["'aa1'", "'aa2'", "'aa3'", "'aa4'"]),
        "num": ("DECIMAL(30,10)", ["1.0000000001", "12345678901234567890.0000000001", "12345678901234567890.0000000002", "12345678901234567890.0000000003"]),
        "at": ("DATETIME(6)", [f"'2001-01-01 00:00:00.00000{i}'" for i in range(6)]),
        "flag": ("TINYINT(1)", ["0", "1", "2", "3", "4"]),
        "day": ("DATE", ["'0000-00-00'", "'1970-01-01'", "'2024-00-00'", "'2024-01-00'"]),
    }
    sql = "SET SESSION sql_mode='';\n"
    sql += "".join(f"CREATE TABLE {k} (k {t} NOT NULL PRIMARY KEY, v INT);\n" for k, (t, _) in kinds.items())
    sql += "".join(f"INSERT INTO {k} VALUES ({v}, {i});\n" for k, (_, values) in kinds.items() for i, v in enumerate(values))
    make(mariadb, name, sql)
    start(mariadb, weir, name, incremental_snapshot_chunk_size=3, decimal_handling_mode="double", time_precision_mode="connect", converters="b",
          b_type="io.debezium.connector.mariadb.converters.TinyIntOneToBooleanConverter",
          **{"column_mask_with_5_chars": f"{name}.mail.k", "column_truncate_to_1_chars": f"{name}.cut.k"})
    execute(mariadb, name, "all", list(kinds))
    wait_completed(weir, name, "all")
    for k, (_, values) in kinds.items():
        assert read_rows(weir, name, k, "v") == list(range(len(values))), k


def test_rows_that_share_their_key(server, weir):
    """No key at all, and a surrogate one that repeats: also beyond the end of a chunk."""
    name = "inc_share"
    make(server, name, "CREATE TABLE t (g VARCHAR(5) NULL, n INT);\n"
         "INSERT INTO t VALUES ('a',0),('A',1),('a',2),('a',3),('b',4),(NULL,5),(NULL,6),(NULL,7),('b',8),('c',9),('c',9)")
    start(server, weir, name, incremental_snapshot_chunk_size=2)
    execute(server, name, "one", ["t"], **{"surrogate-key": "g"})
    wait_completed(weir, name, "one")
    assert read_rows(weir, name, "t", "n") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


def test_the_primary_key_changes_under_a_snapshot(server, weir):
    name = "inc_pk"
    make(server, name, fill(5000) + ";\nALTER TABLE t MODIFY v BIGINT NOT NULL;\nUPDATE t SET v = 4999 - id")
    start(server, weir, name, incremental_snapshot_chunk_size=2)
    execute(server, name, "one", ["t"])
    wait_until(lambda: notes(weir, name, "one"))
    signal(server, name, "p", "pause-snapshot", {})
    wait_until(lambda: any(n["type"] == "PAUSED" for n in notes(weir, name, "one")))
    server.sql(f"ALTER TABLE {name}.t DROP PRIMARY KEY, ADD PRIMARY KEY (v)")
    signal(server, name, "r", "resume-snapshot", {})
    wait_completed(weir, name, "one")
    assert set(read_rows(weir, name, "t", "id")) == set(range(5000))
    assert "is read from its beginning again" in weir.log()


def test_marks_that_never_come(mariadb, weir):
    """A server that has never had the marks takes over: here the session of the snapshot keeps them out of the binlog."""
    name = "inc_lost"
    make(mariadb, name, fill(1000))
    try:
        start(mariadb, weir, name, incremental_snapshot_chunk_size=100)
        mariadb.sql("GRANT BINLOG ADMIN ON *.* TO 'debezium'@'%';\nSET GLOBAL init_connect = 'SET sql_log_bin = 0'")
        execute(mariadb, name, "one", ["t"])
        wait_until(lambda: mariadb.sql(f"SELECT COUNT(*) FROM {name}.signals WHERE type LIKE 'snapshot-window%'")[0][0] >= 2)
        time.sleep(1)
        assert not any(n["type"] == "COMPLETED" for n in notes(weir, name, "one"))
    finally:
        mariadb.sql("SET GLOBAL init_connect = '';\nREVOKE BINLOG ADMIN ON *.* FROM 'debezium'@'%'")
    for (id_,) in mariadb.sql("SELECT id FROM information_schema.processlist WHERE user = 'debezium'"):
        mariadb.sql(f"KILL {id_}")
    wait_completed(weir, name, "one")
    check_equal(mariadb, weir, name)


SLOWLY = "SELECT * FROM {0}.t WHERE SLEEP(0.002) = 0"
WIDE = ";\nALTER TABLE t ADD COLUMN x VARCHAR(2000) DEFAULT (REPEAT('x', 2000))"


def test_kill_in_a_blocking_snapshot(server):
    """What was asked for is done after a crash, also what waits behind it."""
    name = "blocking_kill"
    make(server, name, fill(2000) + WIDE + ";\nCREATE TABLE u (id INT PRIMARY KEY);\nINSERT INTO u VALUES (1)")
    with Weir() as weir:
        start(server, weir, name, max_batch_size=50, max_queue_size=100)
        with server.client(name) as c, c.cursor() as cursor:  # both in one event
            cursor.execute("INSERT INTO signals VALUES (%s, %s, %s), (%s, %s, %s)", [x for t in "tu" for x in (t, "execute-snapshot", json.dumps(
                {"data-collections": [f"{name}.{t}"], "type": "BLOCKING", "additional-conditions": [
                    {"data-collection": f"{name}.t", "filter": SLOWLY.format(name)}]}))])
        wait_until(lambda: len(events(weir.bootstrap, f"{name}.{name}.t")) > 50)
        weir.kill()
        weir.start()
        assert len(events(weir.bootstrap, f"{name}.{name}.t")) < 2000, "too late"
        completed = lambda: [n for n in notes(weir, name) if n["type"] == "COMPLETED" and n["aggregate_type"] == "Initial Snapshot"]
        wait_until(lambda: len(completed()) == 3, 60)  # that of no_data, two that were asked for
        assert set(read_rows(weir, name, "t", "id")) == set(range(2000))
        assert read_rows(weir, name, "u", "id") == [1]
        offset = lambda: weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"]
        wait_until(lambda: "blocking_snapshots" not in offset() and "snapshot" not in offset())
        weir.stop()
        weir.start()
        server.sql(f"INSERT INTO {name}.u VALUES (2)")
        wait_until(lambda: events(weir.bootstrap, f"{name}.{name}.u")[-1][0] == {"id": 2})
        assert len(completed()) == 3


def kill_sessions(server):
    for (id_,) in server.sql("SELECT id FROM information_schema.processlist WHERE user = 'debezium' AND command <> 'Binlog Dump'"):
        server.sql(f"KILL {id_}")


@pytest.mark.parametrize("fault", ["session", "network", "given up"])
def test_a_blocking_snapshot_is_cut_off(mariadb, weir, fault):
    """It begins anew, after a pause and as often as faults are borne: all its rows come, and the stream goes on."""
    name = "blocking_" + fault.replace(" ", "_")
    make(mariadb, name, fill(1000) + WIDE + ";\nCREATE TABLE u (id INT PRIMARY KEY)")
    offset = lambda: weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"][0]["offset"]
    with TcpProxy(mariadb.port) as proxy:
        start(mariadb, weir, name, max_batch_size=50, max_queue_size=100, database_port=proxy.port, retriable_restart_connector_wait_ms=300,
              errors_max_retries=0 if fault == "given up" else 3)
        execute(mariadb, name, "one", ["t"], type="BLOCKING", **{"additional-conditions": [{"data-collection": f"{name}.t", "filter": SLOWLY.format(name)}]})
        wait_until(lambda: len(events(weir.bootstrap, f"{name}.{name}.t")) > 50)
        proxy.cut_all() if fault == "network" else kill_sessions(mariadb)
        wait_until(lambda: any(n["type"] == "ABORTED" for n in notes(weir, name)))
        again = "the blocking snapshot failed; it begins anew in 300 ms" in weir.log()
        assert again == (fault != "given up")
        mariadb.sql(f"INSERT INTO {name}.u VALUES (1)")
        assert len(events(weir.bootstrap, f"{name}.{name}.u", 1)) == 1
        rows = {k["id"] for k, _ in events(weir.bootstrap, f"{name}.{name}.t")}
        assert rows == set(range(1000)) if again else len(rows) < 1000
        wait_until(lambda: "blocking_snapshots" not in offset())
        weir.wait_running(name)


def test_signals_where_inserts_are_skipped(mariadb, weir):
    name = "sig_skip"
    make(mariadb, name, fill(500))
    start(mariadb, weir, name, skipped_operations="c", incremental_snapshot_chunk_size=100)
    execute(mariadb, name, "one", ["t"])
    wait_completed(weir, name, "one")
    assert read_rows(weir, name, "t", "id") == list(range(500))
    with pytest.raises(AssertionError):
        read_all(weir.bootstrap, f"{name}.{name}.signals", 1, timeout=1)


def test_the_end_of_a_blocking_snapshot_fails(mariadb, weir):
    """The session is gone before the end is confirmed: this one is given up, and the one behind it is taken."""
    name = "blocking_end"
    make(mariadb, name, "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\nCREATE TABLE u (id INT PRIMARY KEY);\nINSERT INTO u VALUES (1)")
    start(mariadb, weir, name, errors_max_retries=0)
    aborted = lambda: [n for n in notes(weir, name) if n["type"] == "ABORTED"]
    mariadb.sql("SET GLOBAL completion_type = 'RELEASE'")  # COMMIT ends the session
    try:
        execute(mariadb, name, "bad", ["t"], type="BLOCKING", **{"additional-conditions": [{"data-collection": f"{name}.t", "filter": "SELECT nothing"}]})
        wait_until(lambda: len(aborted()) == 1)
        with mariadb.client(name) as c, c.cursor() as cursor:  # both in one event
            cursor.execute("INSERT INTO signals VALUES (%s, %s, %s), (%s, %s, %s)", [x for t in "tu" for x in (
                t, "execute-snapshot", json.dumps({"data-collections": [f"{name}.{t}"], "type": "BLOCKING"}))])
        wait_until(lambda: len(aborted()) == 3)
    finally:
        mariadb.sql("SET GLOBAL completion_type = DEFAULT")
    assert read_rows(weir, name, "t", "id") == [1] and read_rows(weir, name, "u", "id") == [1]
    mariadb.sql(f"INSERT INTO {name}.u VALUES (2)")
    assert len(events(weir.bootstrap, f"{name}.{name}.u", 2)) == 2
    weir.wait_running(name)


def test_a_table_stays_locked_under_an_incremental_snapshot(mariadb, weir):
    """It is given up after some tries, and the table behind it is read."""
    name = "sig_locked"
    make(mariadb, name, "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\nCREATE TABLE u (id INT PRIMARY KEY);\nINSERT INTO u VALUES (1)")
    start(mariadb, weir, name)
    mariadb.sql("SET GLOBAL lock_wait_timeout = 1")
    try:
        with mariadb.client(name) as c, c.cursor() as cursor:
            cursor.execute("LOCK TABLES t WRITE")
            execute(mariadb, name, "one", ["t", "u"])
            wait_completed(weir, name, "one")
    finally:
        mariadb.sql("SET GLOBAL lock_wait_timeout = DEFAULT")
    assert f"Database error while executing incremental snapshot for table '{name}.t'" in weir.log()
    assert read_rows(weir, name, "u", "id") == [1]
    weir.wait_running(name)
