"""A load of changes on tables, and what their events must be: column v counts the changes of a row, so that a gap shows."""
import collections
import random
import threading
import time

import pymysql

from kafka_io import events
from weirproc import wait_until

CREATE = "CREATE TABLE {} (id INT PRIMARY KEY, v INT NOT NULL, pad VARCHAR(400))"


class Changes(threading.Thread):
    """Transactions of inserts, updates and deletes on all tables; goes on when the server comes back."""

    def __init__(self, server, database, tables=("t",), pause=0.002):
        super().__init__(daemon=True)
        self.server, self.database, self.tables, self.pause = server, database, tables, pause
        self.done, self.count, self.rows = threading.Event(), 0, {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()

    def run(self):
        last = 0
        while not self.done.is_set():
            try:
                with self.server.client(self.database) as client, client.cursor() as c:
                    for t in self.tables:  # whether the transaction that was cut off was committed
                        c.execute(f"SELECT id, v FROM {t}")
                        self.rows[t] = dict(c.fetchall())
                        last = max([last, *self.rows[t]])
                    while not self.done.is_set():
                        last = self.transaction(c, last)
                        time.sleep(self.pause)
            except (pymysql.Error, OSError):
                time.sleep(0.05)

    def transaction(self, c, last):
        c.execute("START TRANSACTION")
        for _ in range(random.randint(1, 20)):
            t = random.choice(self.tables)
            rows, kind = self.rows[t], random.random()
            if kind < 0.4 or not rows:
                last += 1
                rows[last] = 1
                c.execute(f"INSERT INTO {t} VALUES (%s, 1, REPEAT('a', %s))", (last, random.randint(0, 300)))
            elif kind < 0.9:
                key = random.choice(list(rows))
                rows[key] += 1
                c.execute(f"UPDATE {t} SET v = v + 1 WHERE id = %s", (key,))
            else:
                key = random.choice(list(rows))
                del rows[key]
                c.execute(f"DELETE FROM {t} WHERE id = %s", (key,))
            self.count += 1
        c.execute("COMMIT")
        return last


def fold(found):
    """The rows as a consumer has them that applies all events."""
    state = {}
    for key, value in found:
        if value and value["op"] == "d":
            state.pop(key["id"], None)
        elif value:
            state[key["id"]] = value["after"]["v"]
    return state


def arrive(weir, topic, server, table, timeout=120):
    """All events, once they give what the table has (and the table is at rest)."""
    rows = dict(server.sql(f"SELECT id, v FROM {table}"))

    def complete():
        found = events(weir.bootstrap, topic, timeout=60)
        return found if fold(found) == rows else None
    return wait_until(complete, timeout, 0.5)


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
