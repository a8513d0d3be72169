"""Faults of Debezium 3.5 on MySQL and MariaDB that weir must not have: one test for each, on real servers.

The original's task dies in most of them; in the others it sends values that are not the table's."""
import contextlib
import itertools

import pytest

from kafka_io import events
from weirproc import Weir, wait_until

NUMBERS = itertools.count(1)
MYSQL_CLASS = {"connector.class": "io.debezium.connector.mysql.MySqlConnector"}


class Capture:
    """A database of a test's own, and a connector that has finished its snapshot and streams."""

    def __init__(self, weir, server, setup, config):
        self.weir, self.server, self.name = weir, server, f"fault{next(NUMBERS)}"
        server.sql(f"DROP DATABASE IF EXISTS {self.name};\nCREATE DATABASE {self.name} CHARACTER SET utf8mb4")
        self.sql(setup)
        self.config = {**server.connector(self.name, database_include_list=self.name), **config}
        weir.create_connector(self.name, self.config)
        self.wait_streaming()

    def wait_streaming(self):
        self.weir.wait_running(self.name)

        def streams():
            found = self.weir.rest("GET", f"/connectors/{self.name}/offsets")[1]["offsets"]
            return found and "snapshot" not in found[0]["offset"]
        if self.server.sql(f"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{self.name}' AND table_type = 'BASE TABLE'")[0][0]:
            wait_until(streams)
        wait_until(lambda: "Connected to binlog" in self.weir.log())

    def sql(self, text):
        """Statements of one session."""
        with contextlib.closing(self.server.client(self.name)) as c, c.cursor() as cursor:
            for statement in text.split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
            return cursor.fetchall()

    def events(self, table, count):
        """(op, before, after) without tombstones; count includes them. The connector must be at work afterwards."""
        found = events(self.weir.bootstrap, f"{self.name}.{self.name}.{table}", count, timeout=40)
        self.weir.wait_running(self.name)
        return [(v["op"], v["before"], v["after"]) for _, v in found if v is not None]

    def keys(self, table, count):
        return [k for k, _ in events(self.weir.bootstrap, f"{self.name}.{self.name}.{table}", count, timeout=40)]


@pytest.fixture(scope="module")
def shared_weir():
    with Weir() as w:
        yield w


@pytest.fixture
def on_mariadb(shared_weir, mariadb):
    return lambda setup, **config: Capture(shared_weir, mariadb, setup, {k.replace("_", "."): v for k, v in config.items()})


@pytest.fixture
def on_mysql(shared_weir, mysql):
    return lambda setup, **config: Capture(shared_weir, mysql, setup, {k.replace("_", "."): v for k, v in config.items()})


# --- MariaDB ---------------------------------------------------------------------------------------------------------


def test_rows_of_sequences(on_mariadb):
    c = on_mariadb("CREATE SEQUENCE old;\nCREATE TABLE t (id INT PRIMARY KEY)")
    c.sql("SELECT NEXTVAL(old);\nCREATE SEQUENCE young START WITH 100;\nINSERT INTO t VALUES (NEXTVAL(young));\nALTER SEQUENCE young RESTART 500;\n"
          "INSERT INTO t VALUES (NEXTVAL(young));\nSELECT SETVAL(old, 900);\nDROP SEQUENCE young;\nINSERT INTO t VALUES (NEXTVAL(old))")
    assert [after["id"] for _, _, after in c.events("t", 3)] == [100, 500, 901]
    topics = c.weir.rest("GET", f"/connectors/{c.name}/topics")[1][c.name]["topics"]
    assert [t for t in topics if t.endswith((".old", ".young"))] == []


def test_rows_of_a_sequence_that_is_gone(on_mariadb):
    """Dropped before its rows are read, it can't be asked for."""
    c = on_mariadb("CREATE TABLE t (id INT PRIMARY KEY)")
    assert c.weir.rest("PUT", f"/connectors/{c.name}/stop")[0] == 204
    wait_until(lambda: c.weir.rest("GET", f"/connectors/{c.name}/status")[1]["connector"]["state"] == "STOPPED")
    c.sql("CREATE SEQUENCE s START WITH 7;\nINSERT INTO t VALUES (NEXTVAL(s));\nDROP SEQUENCE s;\nINSERT INTO t VALUES (1)")
    assert c.weir.rest("PUT", f"/connectors/{c.name}/resume")[0] == 202
    assert [after["id"] for _, _, after in c.events("t", 2)] == [7, 1]


def test_system_versioned_tables(on_mariadb):
    c = on_mariadb("CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;\n"
                   "CREATE TABLE named (id INT PRIMARY KEY, v INT, b TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END,"
                   " PERIOD FOR SYSTEM_TIME (b, e)) WITH SYSTEM VERSIONING;\nINSERT INTO t VALUES (1, 1);\nUPDATE t SET v = 2")
    c.sql("INSERT INTO t VALUES (2, 5);\nUPDATE t SET v = 6 WHERE id = 2;\nDELETE FROM t WHERE id = 1;\nDELETE HISTORY FROM t;\n"
          "INSERT INTO named (id, v) VALUES (1, 1);\nUPDATE named SET v = 2;\nDELETE FROM named")
    assert c.events("t", 5) == [("r", None, {"id": 1, "v": 2}), ("c", None, {"id": 2, "v": 5}),
                                ("u", {"id": 2, "v": 5}, {"id": 2, "v": 6}), ("d", {"id": 1, "v": 2}, None)]
    assert [(op, after and after["v"]) for op, _, after in c.events("named", 4)] == [("c", 1), ("u", 2), ("d", None)]


def test_compressed_binary_log(on_mariadb, mariadb):
    c = on_mariadb("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)")
    mariadb.sql("SET GLOBAL log_bin_compress = ON;\nSET GLOBAL log_bin_compress_min_len = 10")
    try:
        c.sql("INSERT INTO t VALUES (1, REPEAT('a', 5000)), (2, REPEAT('b', 5000));\nUPDATE t SET v = REPEAT('c', 9000) WHERE id = 1;\n"
              "ALTER TABLE t ADD COLUMN w VARCHAR(300) DEFAULT 'a default that is long enough to be compressed, compressed, compressed';\n"
              "INSERT INTO t (id, v) VALUES (3, REPEAT('d', 70000));\nDELETE FROM t WHERE id = 2")
    finally:
        mariadb.sql("SET GLOBAL log_bin_compress = OFF")
    found = c.events("t", 6)
    assert [op for op, *_ in found] == ["c", "c", "u", "c", "d"]
    assert found[2][2] == {"id": 1, "v": "c" * 9000} and found[2][1]["v"] == "a" * 5000
    assert found[3][2]["v"] == "d" * 70000 and found[3][2]["w"].startswith("a default")
    assert found[4][1]["v"] == "b" * 5000
    file = mariadb.sql("SHOW BINARY LOGS")[-1][0]
    assert {"Query_compressed", "Write_rows_compressed_v1", "Update_rows_compressed_v1"} <= {r[2] for r in mariadb.sql(f"SHOW BINLOG EVENTS IN '{file}'")}


def test_create_or_replace_table(on_mariadb):
    c = on_mariadb("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    c.sql("INSERT INTO t VALUES (1, 1);\nCREATE OR REPLACE TABLE t (k VARCHAR(9) PRIMARY KEY, a DATE, b INT);\nINSERT INTO t VALUES ('x', '2024-02-29', 7);\n"
          "CREATE OR REPLACE TABLE t SELECT 3 AS three;\nINSERT INTO t VALUES (4)")
    assert [after for _, _, after in c.events("t", 4)] == [{"id": 1, "v": 1}, {"k": "x", "a": 19782, "b": 7}, {"three": 3}, {"three": 4}]


def test_add_column_if_not_exists_with_the_mysql_class(on_mariadb):
    c = on_mariadb("CREATE TABLE t (id INT PRIMARY KEY)", **MYSQL_CLASS)
    c.sql("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT DEFAULT 5;\nALTER TABLE t ADD COLUMN IF NOT EXISTS a INT DEFAULT 6, ADD COLUMN IF NOT EXISTS b INT;\n"
          "INSERT INTO t (id) VALUES (1);\nALTER TABLE t DROP COLUMN IF EXISTS nothing, DROP COLUMN IF EXISTS a;\nINSERT INTO t VALUES (2, 3)")
    assert [after for _, _, after in c.events("t", 2)] == [{"id": 1, "a": 5, "b": None}, {"id": 2, "b": 3}]


def test_uuids_that_end_in_zeros(on_mariadb):
    ids = ["12345678-1234-1234-1234-123456789000", "12345678-1234-1234-1234-120000000000", "00000000-0000-0000-0000-000000000000",
           "ffffffff-0000-1000-8000-00000000ff00"]
    c = on_mariadb(f"CREATE TABLE t (id UUID PRIMARY KEY, u UUID);\nINSERT INTO t VALUES ('aaaaaaaa-0000-1000-8000-000000000000', '{ids[0]}')")
    c.sql("INSERT INTO t VALUES " + ", ".join(f"('{u}', '{u}')" for u in ids))
    found = c.events("t", 5)
    assert sorted(after["u"] for op, _, after in found if op == "c") == sorted(ids)
    assert all(after["id"] == after["u"] for op, _, after in found if op == "c")
    assert found[0][2] == {"id": "aaaaaaaa-0000-1000-8000-000000000000", "u": ids[0]}
    assert sorted(k["id"] for k in c.keys("t", 5)[1:]) == sorted(ids)


def test_the_mysql_class_on_mariadb_restarts_without_a_gap(mariadb):
    with Weir() as weir:
        c = Capture(weir, mariadb, "CREATE TABLE t (id INT PRIMARY KEY)", MYSQL_CLASS)
        expected = []
        for n in range(3):
            c.sql(f"INSERT INTO t VALUES ({10 * n + 1})")
            c.events("t", len(expected) + 1)
            weir.stop()
            c.sql(f"INSERT INTO t VALUES ({10 * n + 2});\nINSERT INTO t VALUES ({10 * n + 3}), ({10 * n + 4})")
            weir.start()
            expected += [10 * n + k for k in (1, 2, 3, 4)]
            assert [after["id"] for _, _, after in c.events("t", len(expected))] == expected


# --- both ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["mariadb", "mysql"])
def on_each(request, shared_weir):
    server = request.getfixturevalue(request.param)
    return lambda setup, **config: Capture(shared_weir, server, setup, {k.replace("_", "."): v for k, v in config.items()})


def test_row_images_without_blobs(on_each):
    c = on_each("CREATE TABLE t (id INT PRIMARY KEY, n INT, x TEXT, b BLOB, s VARCHAR(20))")
    c.sql("SET SESSION binlog_row_image = NOBLOB;\nINSERT INTO t VALUES (1, 1, 'long text', 'bytes', 's');\nUPDATE t SET n = 2;\nUPDATE t SET x = 'new';\n"
          "DELETE FROM t")
    found = c.events("t", 5)
    gone, gone_bytes = "__debezium_unavailable_value", "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
    assert found[0][2] == {"id": 1, "n": 1, "x": "long text", "b": "Ynl0ZXM=", "s": "s"}
    assert found[1][2] == {"id": 1, "n": 2, "x": gone, "b": gone_bytes, "s": "s"}
    assert found[2][2] == {"id": 1, "n": 2, "x": "new", "b": gone_bytes, "s": "s"}
    assert found[3][0] == "d" and found[3][1]["id"] == 1 and found[3][1]["s"] == "s"


def test_minimal_row_images(on_each):
    """What an image leaves out is read from the table, or is told to be unknown; nothing stops."""
    c = on_each("CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, d DECIMAL(5,2), s VARCHAR(20), x TEXT, ts TIMESTAMP(3) NULL, g INT AS (n * 2));\n"
                "CREATE TABLE b (k VARBINARY(4), w DATETIME(3), name VARCHAR(9), v INT, PRIMARY KEY (k, w, name));\nCREATE TABLE keyless (a INT, b INT DEFAULT 3)")
    c.sql("SET time_zone = '+05:00';\nSET SESSION binlog_row_image = MINIMAL;\nINSERT INTO t (id, n, d, s, x, ts) VALUES (1, 1, 1.5, 's', 'long', '2024-02-29 12:00:00.123');\n"
          "INSERT INTO t (id, n, s) VALUES (2, 5, 'gone');\nUPDATE t SET n = 2 WHERE id = 1;\nUPDATE t SET n = 6 WHERE id = 2;\nUPDATE t SET id = 3 WHERE id = 1;\n"
          "DELETE FROM t WHERE id = 2;\n"
          "INSERT INTO b VALUES (X'00ff', '2024-02-29 01:02:03.004', '한''글', 1);\nUPDATE b SET v = 2;\nINSERT INTO keyless (a) VALUES (1);\nUPDATE keyless SET a = 2")
    found = c.events("t", 9)
    assert [op for op, *_ in found] == ["c", "c", "u", "u", "d", "c", "d"]
    now = {"id": 3, "n": 2, "d": "AJY=", "s": "s", "x": "long", "ts": "2024-02-29T07:00:00.123Z", "g": 4}
    assert found[-2][2] == {**now, "x": "__debezium_unavailable_value"}
    # what was asked for is the table's, or, when the row was gone or had its other key by then, unknown
    unknown = {"d": None, "s": "__debezium_unavailable_value", "ts": None, "g": None, "x": "__debezium_unavailable_value"}
    table = {k: now[k] for k in ("d", "s", "ts", "g")} | {"x": unknown["x"]}
    # (MySQL's image of an UPDATE has the generated column, too)
    assert found[2][2] in ({"id": 1, "n": 2, **table}, {"id": 1, "n": 2, **unknown}, {"id": 1, "n": 2, **unknown, "g": 4}) and found[2][1] is None
    assert found[3][2] in ({"id": 2, "n": 6, **unknown, "s": "gone", "g": 12}, {"id": 2, "n": 6, **unknown}, {"id": 2, "n": 6, **unknown, "g": 12})
    assert found[3][1] is None
    assert found[4][1]["id"] == 1 and found[6][1]["id"] == 2
    assert [after and after["v"] for _, _, after in c.events("b", 2)] == [1, 2]
    last = c.events("b", 2)[1][2]
    assert last == {"k": "AP8=", "w": 1709168523004, "name": "한'글", "v": 2}
    assert [(before, after) for _, before, after in c.events("keyless", 2)][0][1] == {"a": 1, "b": 3}
    assert c.events("keyless", 2)[1][2] == {"a": 2, "b": 3}
    for table in ("t", "b"):
        assert f"rows of table {c.name}.{table} come without all of their columns" in c.weir.log()


def test_minimal_row_images_read_too_late(on_each):
    """The rows have gone, or have another key, before they can be asked for: their images are all there is."""
    c = on_each("CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, s VARCHAR(20), g INT AS (n * 2), k INT)")
    assert c.weir.rest("PUT", f"/connectors/{c.name}/stop")[0] == 204
    wait_until(lambda: c.weir.rest("GET", f"/connectors/{c.name}/status")[1]["connector"]["state"] == "STOPPED")
    c.sql("SET SESSION binlog_row_image = MINIMAL;\nINSERT INTO t (id, n, s, k) VALUES (1, 1, 's', 3);\nUPDATE t SET n = 2;\nUPDATE t SET k = 4;\nUPDATE t SET id = 3;\nDELETE FROM t")
    assert c.weir.rest("PUT", f"/connectors/{c.name}/resume")[0] == 202
    found = c.events("t", 8)
    logged = 4 if c.server.kind == "mysql" else None  # MySQL logs a generated column whose value changes, MariaDB does not
    row = {"id": 1, "n": 0, "s": "__debezium_unavailable_value", "g": None, "k": None}
    assert found == [("c", None, {"id": 1, "n": 1, "s": "s", "g": 2, "k": 3}), ("u", None, {**row, "n": 2, "g": logged}), ("u", None, {**row, "k": 4}),
                     ("d", row, None), ("c", None, {**row, "id": 3}), ("d", {**row, "id": 3}, None)]


def test_enum_values_with_a_comma(on_each):
    labels = "ENUM('plain', 'a,b', 'it''s', 'c,''d'',e', '')"
    c = on_each(f"CREATE TABLE t (id INT PRIMARY KEY, e {labels}, s SET('x', 'y z', 'w\"'));\nINSERT INTO t VALUES (1, 'a,b', 'x,y z')")
    c.sql("INSERT INTO t VALUES (2, 'it''s', 'w\"'), (3, 'c,''d'',e', 'x,w\"'), (4, '', '');\n"
          "ALTER TABLE t ADD COLUMN f ENUM('1,2', '3') DEFAULT '1,2', MODIFY e ENUM('plain', 'a,b', 'it''s', 'c,''d'',e', '', 'last,one');\n"
          "INSERT INTO t (id, e) VALUES (5, 'last,one')")
    after = [a for _, _, a in c.events("t", 5)]
    assert [(a["e"], a["s"]) for a in after] == [("a,b", "x,y z"), ("it's", 'w"'), ("c,'d',e", 'x,w"'), ("", ""), ("last,one", None)]
    assert after[4]["f"] == "1,2"


def test_key_columns_that_are_excluded_from_the_value(on_each):
    c = on_each("CREATE TABLE t (a INT, b VARCHAR(9), v INT, PRIMARY KEY (a, b));\nINSERT INTO t VALUES (1, 'x', 1), (2, 'y', 2);\n"
                "CREATE TABLE u (id INT PRIMARY KEY, other INT, v INT);\nINSERT INTO u VALUES (1, 77, 1)",
                **{"column.exclude.list": r".*\.t\.a,.*\.u\.other", "message.key.columns": r".*\.u:other"})
    c.sql("INSERT INTO t VALUES (3, 'z', 3);\nUPDATE t SET v = 9 WHERE a = 1;\nDELETE FROM t WHERE a = 2;\nINSERT INTO u VALUES (2, 88, 2)")
    assert c.keys("t", 6) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}, {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 2, "b": "y"}]
    assert [after for _, _, after in c.events("t", 6)] == [{"b": "x", "v": 1}, {"b": "y", "v": 2}, {"b": "z", "v": 3}, {"b": "x", "v": 9}, None]
    assert c.keys("u", 2) == [{"other": 77}, {"other": 88}]
    assert [after for _, _, after in c.events("u", 2)] == [{"id": 1, "v": 1}, {"id": 2, "v": 2}]


def test_alters_inside_version_comments(on_each):
    c = on_each("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    c.sql("/*!50000 ALTER TABLE t ADD COLUMN a INT DEFAULT 4 */;\nINSERT INTO t (id, v) VALUES (1, 1);\n"
          "ALTER TABLE t /*!50001 ADD COLUMN b VARCHAR(9) DEFAULT 'b' FIRST, */ MODIFY v BIGINT;\nINSERT INTO t (id, v) VALUES (2, 5000000000);\n"
          "/*!99999 ALTER TABLE t DROP COLUMN a */;\n/*!50000 ALTER TABLE t DROP COLUMN a */;\nINSERT INTO t VALUES ('c', 3, 3)")
    assert [after for _, _, after in c.events("t", 3)] == [{"id": 1, "v": 1, "a": 4}, {"b": "b", "id": 2, "v": 5000000000, "a": 4}, {"b": "c", "id": 3, "v": 3}]


def test_defaults_with_quotes(shared_weir, on_each):
    c = on_each("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20) DEFAULT 'it''s', b VARCHAR(20) DEFAULT '''', c VARCHAR(20) DEFAULT '');\nINSERT INTO t (id) VALUES (1)",
                **{"value.converter.schemas.enable": "true"})
    c.sql("ALTER TABLE t ADD COLUMN d VARCHAR(20) NOT NULL DEFAULT 'a''b\"c\\\\', ADD COLUMN e ENUM('''', 'x') NOT NULL DEFAULT '''';\nINSERT INTO t (id) VALUES (2)")
    found = [v for _, v in events(shared_weir.bootstrap, f"{c.name}.{c.name}.t", 2, timeout=40)]
    def defaults(value):
        after = next(f for f in value["schema"]["fields"] if f["field"] == "after")
        return {f["field"]: f.get("default") for f in after["fields"]}
    assert found[0]["payload"]["after"] == {"id": 1, "a": "it's", "b": "'", "c": ""}
    assert defaults(found[0]) == {"id": None, "a": "it's", "b": "'", "c": ""}
    assert found[1]["payload"]["after"] == {"id": 2, "a": "it's", "b": "'", "c": "", "d": "a'b\"c\\", "e": "'"}
    assert defaults(found[1]) == {"id": None, "a": "it's", "b": "'", "c": "", "d": "a'b\"c\\", "e": "'"}


# --- MySQL -----------------------------------------------------------------------------------------------------------


def test_negative_times_inside_json(on_mysql):
    c = on_mysql("CREATE TABLE t (id INT PRIMARY KEY, j JSON)")
    c.sql("INSERT INTO t VALUES (1, JSON_OBJECT('t', CAST('-01:02:03' AS TIME))), (2, JSON_ARRAY(CAST('-838:59:59' AS TIME), CAST('-00:00:00.5' AS TIME(6)),"
          " CAST('00:00:01' AS TIME), CAST('-10:11:12.000001' AS TIME(6))))")
    found = {after["id"]: after["j"] for _, _, after in c.events("t", 2)}
    assert found == {1: '{"t":"-01:02:03"}', 2: '["-838:59:59","-00:00:00.5","00:00:01","-10:11:12.000001"]'}
