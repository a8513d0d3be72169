"""Faults that the connector must outlive, and faults of the original that it must not have."""
import json
import time

import pytest

from databases import database
from kafka_io import events, read_all
from weirproc import Weir, wait_until


def after(found):
    """Rows as a consumer that applies all events would have them."""
    rows = {}
    for key, value in found:
        if value is None or value["after"] is None:
            rows.pop(json.dumps(key), None)
        else:
            rows[json.dumps(key)] = value["after"]
    return rows


def failed_trace(weir, name, timeout=20):
    def trace():
        tasks = weir.rest("GET", f"/connectors/{name}/status")[1]["tasks"]
        return tasks and tasks[0]["state"] == "FAILED" and tasks[0]["trace"]
    return wait_until(trace, timeout)


@pytest.fixture
def own_mariadb():
    with database("mariadb") as db:
        yield db


def test_the_server_restarts_under_the_stream(own_mariadb, weir):
    own_mariadb.sql("CREATE DATABASE up;\nCREATE TABLE up.t (id INT PRIMARY KEY, v INT);\nINSERT INTO up.t VALUES (1, 1)")
    weir.create_connector("up", own_mariadb.connector("up", database_include_list="up"))
    events(weir.bootstrap, "up.up.t", 1)
    own_mariadb.sql("INSERT INTO up.t VALUES (2, 1)")
    events(weir.bootstrap, "up.up.t", 2)
    for round_ in range(2):
        own_mariadb.kill()
        own_mariadb.start_local()
        own_mariadb.sql(f"INSERT INTO up.t VALUES ({3 + round_}, 1);\nUPDATE up.t SET v = v + 1 WHERE id = 1")
        events(weir.bootstrap, "up.up.t", 4 + 2 * round_, timeout=40)
    weir.wait_running("up")
    found = [(k["id"], v["op"]) for k, v in events(weir.bootstrap, "up.up.t", 6)]
    assert found == [(1, "r"), (2, "c"), (3, "c"), (1, "u"), (4, "c"), (1, "u")]


def last_transaction(log):
    """Where the last transaction of a binlog file begins."""
    at, found = 4, 0
    while at + 19 <= len(log):
        if log[at + 4] == 162:  # MariaDB's GTID event
            found = at
        at += int.from_bytes(log[at + 9:at + 13], "little")
    return found


@pytest.mark.parametrize("cut", [20, 40, 75])
def test_the_binlog_ends_within_a_transaction(own_mariadb, cut):
    """A server that is killed while it writes leaves half a transaction; it rolls that back when it starts."""
    own_mariadb.sql("CREATE DATABASE torn;\nCREATE TABLE torn.t (id INT PRIMARY KEY, v INT)")
    with Weir() as w:
        w.create_connector("torn", own_mariadb.connector("torn", database_include_list="torn", retriable_restart_connector_wait_ms=200,
                                                         provide_transaction_metadata="true"))
        wait_until(lambda: "Connected to binlog" in w.log())
        own_mariadb.sql("INSERT INTO torn.t VALUES (1, 1)")
        events(w.bootstrap, "torn.torn.t", 1)
        w.stop()  # or it would have read so far that it does not come by the torn end any more
        own_mariadb.sql("INSERT INTO torn.t VALUES (2, 1)")
        name = own_mariadb.sql("SHOW MASTER STATUS")[0][0]
        own_mariadb.kill()
        path = f"{own_mariadb.dir}/data/{name}"
        with open(path, "rb") as f:
            log = f.read()
        with open(path, "ab") as f:  # the last one once more, without its end
            f.write(log[last_transaction(log):-cut])
        own_mariadb.start_local()
        w.start()
        own_mariadb.sql("INSERT INTO torn.t VALUES (3, 1)")
        found = events(w.bootstrap, "torn.torn.t", 3)
        assert "ends within an event" in w.log()
        w.stop()
        w.start()
        own_mariadb.sql("INSERT INTO torn.t VALUES (4, 1)")
        found = events(w.bootstrap, "torn.torn.t", 4)
        assert [key["id"] for key, _ in found] == [1, 2, 3, 4]
        marks = [v["status"] for _, v in events(w.bootstrap, "torn.transaction", 8)]
        assert marks == ["BEGIN", "END"] * 4


def test_the_server_is_down_when_the_task_starts(own_mariadb):
    own_mariadb.sql("CREATE DATABASE late;\nCREATE TABLE late.t (id INT PRIMARY KEY);\nINSERT INTO late.t VALUES (1)")
    with Weir() as weir:
        weir.create_connector("late", own_mariadb.connector("late", database_include_list="late",
                                                            retriable_restart_connector_wait_ms=300))
        events(weir.bootstrap, "late.late.t", 1)
        weir.stop()
        own_mariadb.stop_local()
        weir.start()
        weir.wait_running("late")
        own_mariadb.start_local()
        own_mariadb.sql("INSERT INTO late.t VALUES (2)")
        assert [k["id"] for k, _ in events(weir.bootstrap, "late.late.t", 2, timeout=30)] == [1, 2]


def test_the_position_is_purged(own_mariadb):
    own_mariadb.sql("CREATE DATABASE purged;\nCREATE TABLE purged.t (id INT PRIMARY KEY);\nINSERT INTO purged.t VALUES (1)")
    with Weir() as weir:
        config = own_mariadb.connector("purged", database_include_list="purged")
        weir.create_connector("purged", config)
        events(weir.bootstrap, "purged.purged.t", 1)
        weir.stop()
        own_mariadb.sql("INSERT INTO purged.t VALUES (2);\nFLUSH BINARY LOGS;\nFLUSH BINARY LOGS;\nINSERT INTO purged.t VALUES (3)")
        last = own_mariadb.sql("SHOW MASTER STATUS")[0][0]
        own_mariadb.sql(f"PURGE BINARY LOGS TO '{last}'")
        weir.start()
        trace = failed_trace(weir, "purged")
        assert "The connector is trying to read change stream starting at {" in trace and "but this is no longer available on the server" in trace


def test_a_snapshot_is_killed_and_taken_again(mariadb):
    rows = 60000
    mariadb.sql("DROP DATABASE IF EXISTS big;\nCREATE DATABASE big;\nUSE big;\nCREATE TABLE big.t (id INT PRIMARY KEY, pad VARCHAR(200));\n"
                    f"INSERT INTO big.t SELECT seq, REPEAT('x', 180) FROM seq_1_to_{rows}")
    with Weir() as weir:
        weir.create_connector("big", mariadb.connector("big", database_include_list="big", max_batch_size=256, max_queue_size=512))
        wait_until(lambda: "Exporting data" in weir.log())
        time.sleep(0.05)
        weir.kill()
        mariadb.sql("DELETE FROM big.t WHERE id = 1;\nINSERT INTO big.t VALUES (0, 'new')")
        weir.start()

        def done():
            offsets = weir.rest("GET", "/connectors/big/offsets")[1]["offsets"]
            return offsets and "snapshot" not in offsets[0]["offset"]
        wait_until(done, 60)
        time.sleep(0.5)
        found = events(weir.bootstrap, "big.big.t", timeout=60)
        assert {v["op"] for _, v in found if v} <= {"r", "c", "d"}
        have = set(after(found)) | {json.dumps({"id": 1})}  # the first snapshot may have told row 1, which nothing takes back
        assert have >= {json.dumps({"id": i}) for i in range(rows + 1)}
        assert [v["source"]["snapshot"] for _, v in found if v and v["source"]["snapshot"] == "last"] == ["last"]


def test_faults_of_the_original_on_mariadb(mariadb, weir):
    """Sequences, system-versioned tables, CREATE OR REPLACE, IF NOT EXISTS, NOBLOB images, compressed events,
    UUIDs that end in zeros, ENUM values with a comma."""
    mariadb.sql("DROP DATABASE IF EXISTS faults;\nCREATE DATABASE faults;\nUSE faults;\nCREATE SEQUENCE s;\n"
                    "CREATE TABLE v (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING;\n"
                    "CREATE TABLE u (id UUID PRIMARY KEY, e ENUM('a','b,c'), t TEXT, n INT)")
    weir.create_connector("faults", mariadb.connector("faults", database_include_list="faults"))
    weir.wait_running("faults")
    wait_until(lambda: "Connected to binlog" in weir.log())
    mariadb.sql("USE faults;\nSELECT NEXTVAL(s);\nINSERT INTO v VALUES (1, 1);\nUPDATE v SET a = 2;\n"
                    "INSERT INTO v VALUES (2, 9);\nDELETE FROM v WHERE id = 2;\n"
                    "INSERT INTO u VALUES ('12345678-1234-1234-1234-123456789000', 'b,c', 'long text', 1);\n"
                    "SET SESSION binlog_row_image=NOBLOB;\nUPDATE u SET n = 2;\nSET SESSION binlog_row_image=FULL;\n"
                    "ALTER TABLE u ADD COLUMN IF NOT EXISTS x INT DEFAULT 7;\nUPDATE u SET n = 3;\n"
                    "CREATE OR REPLACE TABLE v (k INT PRIMARY KEY, other VARCHAR(9));\nINSERT INTO v VALUES (5, 'five');\n"
                    "SET GLOBAL log_bin_compress=ON")
    mariadb.sql("UPDATE faults.u SET t = REPEAT('z', 4000), n = 4;\nSET GLOBAL log_bin_compress=OFF")
    u = events(weir.bootstrap, "faults.faults.u", 4)
    assert [v["op"] for _, v in u] == ["c", "u", "u", "u"]
    assert u[0][0] == {"id": "12345678-1234-1234-1234-123456789000"}
    assert u[0][1]["after"]["e"] == "b,c"
    assert u[1][1]["after"]["n"] == 2 and u[1][1]["after"]["t"] == "__debezium_unavailable_value"
    assert u[2][1]["after"]["x"] == 7 and u[2][1]["after"]["t"] == "long text"
    assert u[3][1]["after"]["t"] == "z" * 4000
    v = events(weir.bootstrap, "faults.faults.v", 6)
    assert [(e and e["op"], e and e["after"]) for _, e in v] == [
        ("c", {"id": 1, "a": 1}), ("u", {"id": 1, "a": 2}), ("c", {"id": 2, "a": 9}),
        ("d", None), (None, None), ("c", {"k": 5, "other": "five"})]  # rows of the table's own past are no events
    assert "faults.faults.s" not in weir.rest("GET", "/connectors/faults/topics")[1]["faults"]["topics"]
    weir.wait_running("faults")


def test_old_names_of_options(mariadb, weir):
    mariadb.sql("DROP DATABASE IF EXISTS old;\nCREATE DATABASE old;\nCREATE TABLE old.t (id INT PRIMARY KEY);\nCREATE TABLE old.not_this (id INT PRIMARY KEY);\n"
                    "INSERT INTO old.t VALUES (1);\nINSERT INTO old.not_this VALUES (1)")
    config = mariadb.connector("old")
    del config["topic.prefix"], config["schema.history.internal.kafka.topic"], config["schema.history.internal.kafka.bootstrap.servers"]
    config.update({"database.server.name": "old", "database.whitelist": "old", "table.whitelist": "old.t",
                   "database.history.kafka.bootstrap.servers": "kafka1:9092,kafka2:9092,kafka3:9092", "database.history.kafka.topic": "old_h",
                   "snapshot.minimal.locking": "true", "an.unknown.key": "x", "database.port": mariadb.port})
    weir.create_connector("old", config)
    assert len(events(weir.bootstrap, "old.old.t", 1)) == 1
    assert len(read_all(weir.bootstrap, "old_h", 5)) >= 5
    assert "'database.server.name' is deprecated; using it as 'topic.prefix'" in weir.log()
    assert "an.unknown.key" in weir.log()
    assert weir.rest("GET", "/connectors/old/config")[1]["database.server.name"] == "old"
    assert "dbz" not in weir.log()


def test_forgotten_offsets_take_a_new_snapshot(mariadb, weir):
    mariadb.sql("DROP DATABASE IF EXISTS forget;\nCREATE DATABASE forget;\nCREATE TABLE forget.t (id INT PRIMARY KEY);\nINSERT INTO forget.t VALUES (1)")
    weir.create_connector("forget", mariadb.connector("forget", database_include_list="forget"))
    events(weir.bootstrap, "forget.forget.t", 1)
    assert weir.rest("PUT", "/connectors/forget/stop")[0] == 204
    wait_until(lambda: not weir.rest("GET", "/connectors/forget/status")[1]["tasks"])
    assert weir.rest("DELETE", "/connectors/forget/offsets")[0] == 200
    assert weir.rest("GET", "/connectors/forget/offsets")[1] == {"offsets": []}
    weir.rest("PUT", "/connectors/forget/resume")
    assert [v["op"] for _, v in events(weir.bootstrap, "forget.forget.t", 2)] == ["r", "r"]
    mariadb.sql("INSERT INTO forget.t VALUES (2)")
    events(weir.bootstrap, "forget.forget.t", 3)
