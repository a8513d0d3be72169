"""kill -9 under capture load: every change of every row is there, and the events end where the table does."""
import collections
import os
import random
import threading
import time

import pytest

from kafka_io import events
from weirproc import Weir, wait_until

ROUNDS = max(20, int(os.environ.get("ROUNDS", "50")) * 2 // 5)


class Writer(threading.Thread):
    """Inserts, updates and deletes rows; column v counts the changes of a row, so that a gap shows."""

    def __init__(self, db):
        super().__init__()
        self.db, self.done, self.count = db, threading.Event(), 0

    def run(self):
        client = self.db.client("torture")
        rows, last = {}, 0
        with client.cursor() as c:
            while not self.done.is_set():
                c.execute("START TRANSACTION")
                for _ in range(random.randint(1, 20)):
                    kind = random.random()
                    if kind < 0.4 or not rows:
                        last += 1
                        rows[last] = 1
                        c.execute("INSERT INTO t VALUES (%s, 1, REPEAT('a', %s))", (last, random.randint(0, 300)))
                    elif kind < 0.9:
                        key = random.choice(list(rows))
                        rows[key] += 1
                        c.execute("UPDATE t SET v = v + 1 WHERE id = %s", (key,))
                    else:
                        key = random.choice(list(rows))
                        del rows[key]
                        c.execute("DELETE FROM t WHERE id = %s", (key,))
                    self.count += 1
                c.execute("COMMIT")
                time.sleep(0.002)
        client.close()


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_no_event_is_lost_or_doubled(mariadb):
    mariadb.sql("DROP DATABASE IF EXISTS torture;\nCREATE DATABASE torture;\nCREATE TABLE torture.t (id INT PRIMARY KEY, v INT NOT NULL, pad VARCHAR(400))")
    writer = Writer(mariadb)
    with Weir() as w:
        w.create_connector("torture", mariadb.connector("k9", database_include_list="torture"))
        w.wait_running("torture")
        writer.start()
        try:
            for _ in range(ROUNDS):
                time.sleep(random.uniform(0.02, 0.5))
                w.kill()
                w.start()
        finally:
            writer.done.set()
            writer.join()
        w.wait_running("torture")
        table = {row[0]: row[1] for row in mariadb.sql("SELECT id, v FROM torture.t")}
        found = wait_until(lambda: complete(w, table), 120, 0.5)
        check(found, table)
        print(f"{ROUNDS} rounds, {writer.count} changes, {len(found)} events")


def fold(found):
    state = {}
    for key, value in found:
        if value and value["op"] == "d":
            state.pop(key["id"], None)
        elif value:
            state[key["id"]] = value["after"]["v"]
    return state


def complete(w, table):
    found = events(w.bootstrap, "k9.torture.t", timeout=60)
    return found if fold(found) == table else None


def check(found, table):
    assert fold(found) == table
    seen, doubled = collections.defaultdict(list), 0
    for key, value in found:
        if value is None:
            continue
        versions = seen[key["id"]]
        if value["op"] == "d":
            assert versions and value["before"]["v"] == versions[-1], f"row {key}: changes before its delete are missing"
            continue
        v = value["after"]["v"]
        if value["op"] != "r" and versions and v <= versions[-1]:
            doubled += 1
            continue
        if value["op"] != "r" and versions:
            assert v == versions[-1] + 1, f"row {key}: after {versions[-1]} comes {v}"
        versions.append(v)
    assert doubled == 0, f"{doubled} events came twice while streaming"
