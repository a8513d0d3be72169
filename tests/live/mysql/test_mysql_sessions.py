"""Servers whose defaults give statements another meaning: quotes, backslashes, transactions that nobody began."""
import contextlib

import pytest

from databases import database
from kafka_io import events
from weirproc import wait_until

MODES = {"mariadb": ("ANSI,NO_BACKSLASH_ESCAPES", "ORACLE"), "mysql": ("ANSI,NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES",)}


@pytest.fixture(scope="module", params=[(kind, mode) for kind, modes in MODES.items() for mode in modes], ids="-".join)
def server(request):
    kind, mode = request.param
    with database(kind, [f"--sql-mode={mode}", "--autocommit=0"]) as db:
        yield db


def test_modes_of_the_server(server, weir):
    tables = ["SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'", "CREATE DATABASE odd CHARACTER SET utf8mb4",
              "CREATE TABLE odd.t (k VARCHAR(20) PRIMARY KEY COMMENT 'a \\ and a ''', v INT, w VARCHAR(20) DEFAULT 'it''s \\ here', e VARCHAR(20) DEFAULT '\"q\"')",
              "CREATE TABLE odd.debezium_signal (id VARCHAR(42) PRIMARY KEY, type VARCHAR(32) NOT NULL, data VARCHAR(2048) NULL)",
              "INSERT INTO odd.t (k, v) VALUES ('it''s', 1), ('a\\b', 1), ('end\\', 1), ('\"', 1)", "COMMIT",
              "GRANT INSERT, DELETE ON odd.debezium_signal TO 'debezium'@'%'"]
    keys = ['"', "a\\b", "end\\", "it's"]
    with contextlib.closing(server.client()) as c, c.cursor() as cursor:
        for statement in tables:
            cursor.execute(statement)
        weir.create_connector("odd", server.connector("odd", database_include_list="odd", signal_data_collection="odd.debezium_signal",
                                                      read_only="false"))
        weir.wait_running("odd")
        found = events(weir.bootstrap, "odd.odd.t", 4)
        assert sorted(v["after"]["k"] for _, v in found) == keys
        assert {(v["after"]["w"], v["after"]["e"]) for _, v in found} == {("it's \\ here", '"q"')}
        wait_until(lambda: "Connected to binlog" in weir.log())
        # rows are looked for by keys that have quotes and backslashes; twice, as they are now
        for n in (2, 3):
            cursor.execute("SET SESSION binlog_row_image = MINIMAL")
            cursor.execute(f"UPDATE odd.t SET v = {n}, w = DEFAULT, e = '{n}' WHERE v < {n} ORDER BY k")
            cursor.execute(f"UPDATE odd.t SET v = v + 10 ORDER BY k")
            cursor.execute(f"UPDATE odd.t SET v = v - 10 ORDER BY k")
            cursor.execute("COMMIT")
            found = events(weir.bootstrap, "odd.odd.t", 4 + 12 * (n - 1))[-4:]
            assert [(v["op"], v["after"]["k"], v["after"]["v"], v["after"]["w"], v["after"]["e"]) for _, v in found] == \
                [("u", k, n, "it's \\ here", str(n)) for k in [v["after"]["k"] for _, v in found]]
            assert sorted(v["after"]["k"] for _, v in found) == keys
        # statements of the stream, and what they name
        cursor.execute("SET SESSION binlog_row_image = FULL")
        cursor.execute("ALTER TABLE \"odd\".\"t\" ADD COLUMN \"x y\" VARCHAR(20) DEFAULT '\\'")
        cursor.execute("INSERT INTO odd.t (k) VALUES ('new')")
        cursor.execute("COMMIT")
        assert events(weir.bootstrap, "odd.odd.t", 29)[-1][1]["after"]["x y"] == "\\"
        cursor.execute("INSERT INTO odd.debezium_signal VALUES ('s', 'execute-snapshot', '{\"data-collections\": [\"odd.t\"]}')")
        cursor.execute("COMMIT")
        found = events(weir.bootstrap, "odd.odd.t", 34)[-5:]
        assert [(v["op"], v["after"]["k"]) for _, v in found] == [("r", k) for k in ['"', "a\\b", "end\\", "it's", "new"]]
    weir.wait_running("odd")
