"""A load of changes on a database, and what becomes of its events: column or field v counts the changes of a row or document, so
that a gap shows. What databases do differently is a subclass's."""
import random
import threading
import time

from kafka_io import events
from weirproc import wait_until


class ChangeLoad(threading.Thread):
    """Inserts, updates and deletes in all of names; goes on when the server comes back. A subclass has its faults, session() (a
    context), rows_of(session, name) as {id: v}, insert, update and delete(session, name, id), and transaction(session)."""

    def __init__(self, server, database, names=("t",), pause=0.002):
        super().__init__(daemon=True)
        self.server, self.database, self.names, self.pause = server, database, names, pause
        self.done, self.count, self.rows, self.last = threading.Event(), 0, {}, 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()

    def run(self):
        while not self.done.is_set():
            try:
                with self.session() as session:
                    for name in self.names:  # what became of the change that was cut off
                        self.rows[name] = self.rows_of(session, name)
                        self.last = max([self.last, *self.rows[name]])
                    while not self.done.is_set():
                        self.transaction(session)
                        time.sleep(self.pause)
            except self.faults:
                time.sleep(0.05)

    def change(self, session):
        name = random.choice(self.names)
        rows, kind = self.rows[name], random.random()
        if kind < 0.4 or not rows:
            self.last += 1
            self.insert(session, name, self.last)
            rows[self.last] = 1
        elif kind < 0.9:
            key = random.choice(list(rows))
            self.update(session, name, key)
            rows[key] += 1
        else:
            key = random.choice(list(rows))
            self.delete(session, name, key)
            del rows[key]
        self.count += 1


def fold_events(found, version):
    """{id: v} as a consumer has them that applies all events; version(value) is the v that an event tells."""
    state = {}
    for key, value in found:
        if value and value["op"] == "d":
            state.pop(int(key["id"]), None)
        elif value:
            state[int(key["id"])] = version(value)
    return state


def arrive_at(weir, topic, rows, version, timeout):
    """All events, once they give these rows."""
    def complete():
        found = events(weir.bootstrap, topic, timeout=60)
        return found if fold_events(found, version) == rows else None
    return wait_until(complete, timeout, 0.5)
