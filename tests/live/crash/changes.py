"""A load of changes on tables, and what their events must be."""
import collections
import contextlib
import random

import pymysql

from change_load import ChangeLoad, arrive_at

CREATE = "CREATE TABLE {} (id INT PRIMARY KEY, v INT NOT NULL, pad VARCHAR(400))"


class Changes(ChangeLoad):
    faults = (pymysql.Error, OSError)

    @contextlib.contextmanager
    def session(self):
        with self.server.client(self.database) as client, client.cursor() as c:
            yield c

    def rows_of(self, c, table):
        c.execute(f"SELECT id, v FROM {table}")
        return dict(c.fetchall())

    def transaction(self, c):
        c.execute("START TRANSACTION")
        for _ in range(random.randint(1, 20)):
            self.change(c)
        c.execute("COMMIT")

    def insert(self, c, table, key):
        c.execute(f"INSERT INTO {table} VALUES (%s, 1, REPEAT('a', %s))", (key, random.randint(0, 300)))

    def update(self, c, table, key):
        c.execute(f"UPDATE {table} SET v = v + 1 WHERE id = %s", (key,))

    def delete(self, c, table, key):
        c.execute(f"DELETE FROM {table} WHERE id = %s", (key,))


def arrive(weir, topic, server, table, timeout=120):
    """All events, once they give what the table has (and the table is at rest)."""
    return arrive_at(weir, topic, dict(server.sql(f"SELECT id, v FROM {table}")), lambda value: value["after"]["v"], timeout)


def check(found, may_repeat=False):
    """Every change of every row is there, and (unless may_repeat) none twice but by a snapshot. Returns how many came twice."""
    seen, doubled = collections.defaultdict(list), 0
    for key, value in found:
        if value is None:
            continue
        versions = seen[key["id"]]
        if value["op"] == "d":
            if may_repeat and value["before"]["v"] < (versions or [0])[-1]:
                doubled += 1
                continue
            assert versions and value["before"]["v"] == versions[-1], f"row {key}: changes before its delete are missing"
            continue
        v = value["after"]["v"]
        if value["op"] != "r" and versions and v <= versions[-1]:
            doubled += 1
            continue
        if value["op"] != "r" and versions:
            assert v == versions[-1] + 1, f"row {key}: after {versions[-1]} comes {v}"
        versions.append(v)
    assert may_repeat or doubled == 0, f"{doubled} events came twice while streaming"
    return doubled
