"""What a task leaves on the server when it stops in the middle of a statement: nothing. A server notices a closed connection only when
it writes to it; until then the statement would go on, and its locks would stay."""
import contextlib

import pytest

from databases import database
from weirproc import Weir, wait_until


@pytest.fixture(params=["mariadb", "mysql"], scope="module")
def server(request):
    with database(request.param) as db:
        yield db


@pytest.fixture(scope="module")
def other_weir():
    with Weir() as w:
        yield w


def sessions(server):
    return [row for row in server.sql("SHOW PROCESSLIST") if row[1] == "debezium"]


def runs(server, word):
    """Until a statement of the connector runs that has this word in it, or in the name of its command."""
    wait_until(lambda: any(word in f"{row[4]} {row[7]}" for row in sessions(server)), interval=0.02)


def tables(server, name):
    server.sql(f"CREATE DATABASE {name};\nCREATE TABLE {name}.t (id INT PRIMARY KEY);\nINSERT INTO {name}.t VALUES (1), (2)")


def forbid_waiting(cursor):
    cursor.execute("SET SESSION lock_wait_timeout = 3")


SLOW = "SELECT id FROM {0}.t ORDER BY BENCHMARK(4000000000, SHA2(id, 256))"


@pytest.mark.parametrize("way", ["one", "threads"])
def test_a_select_ends_with_its_connector(server, other_weir, way):
    name = f"selects{way}"
    tables(server, name)
    extra = {"snapshot.select.statement.overrides": f"{name}.t", f"snapshot.select.statement.overrides.{name}.t": SLOW.format(name),
             "snapshot.max.threads": 1 if way == "one" else 2}
    other_weir.create_connector(name, {**server.connector(name, database_include_list=name), **{k: str(v) for k, v in extra.items()}})
    runs(server, "BENCHMARK")
    assert other_weir.rest("DELETE", f"/connectors/{name}")[0] == 204
    wait_until(lambda: not sessions(server), 10)
    with contextlib.closing(server.client()) as c, c.cursor() as cursor:
        forbid_waiting(cursor)
        cursor.execute(f"ALTER TABLE {name}.t ADD COLUMN v INT")


def test_a_wait_for_a_lock_ends_when_the_connector_is_stopped(server, other_weir):
    tables(server, "waits")
    with contextlib.closing(server.client()) as c, c.cursor() as cursor:
        cursor.execute("LOCK TABLES waits.t WRITE")
        other_weir.create_connector("waits", server.connector("waits", database_include_list="waits", snapshot_locking_mode="extended",
                                                              snapshot_lock_timeout_ms=60000))
        runs(server, "FLUSH TABLES")
        assert other_weir.rest("PUT", "/connectors/waits/stop")[0] == 204
        wait_until(lambda: not sessions(server), 10)
    with contextlib.closing(server.client()) as c, c.cursor() as cursor:
        forbid_waiting(cursor)
        cursor.execute("INSERT INTO waits.t VALUES (3)")
    assert other_weir.rest("DELETE", "/connectors/waits")[0] == 204


def test_the_reader_of_the_binlog_ends_with_the_process(server):
    tables(server, "streamed")
    with Weir() as weir:
        weir.create_connector("streamed", server.connector("streamed", database_include_list="streamed"))
        runs(server, "Binlog Dump")
    wait_until(lambda: not sessions(server), 10)
