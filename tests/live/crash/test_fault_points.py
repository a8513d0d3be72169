"""The program is killed, or the machine loses power, at each point between an intent and what settles it (src/connect/task_fault.c).

After a kill nothing is lost and nothing comes twice. After a power cut nothing is lost; what was written beyond the last durable
offsets may come a second time."""
import contextlib
import itertools
import os
import random

import pytest

from changes import CREATE, Changes, arrive, check
from weirproc import Weir, wait_until

POINTS = ["intent", "part", "append", "commit", "sync", "durable"]
ROUNDS = max(len(POINTS), int(os.environ.get("ROUNDS", "12")) // 2)
TABLES = ("t0", "t1", "t2")


def rounds(server, name, power):
    server.sql(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name};\nUSE {name};\n" + ";\n".join(CREATE.format(t) for t in TABLES))
    chance = random.Random(int(os.environ.get("SEED", "0")) or None)
    with Weir() as w:
        w.create_connector(name, server.connector(name, database_include_list=name))
        w.wait_running(name)
        wait_until(lambda: "Connected to binlog" in w.log())
        with Changes(server, name, TABLES) as writer:
            for n, point in zip(range(ROUNDS), itertools.cycle(POINTS)):
                count = chance.randint(1, 2 if point in ("commit", "sync", "durable") else 30)
                writer.pause = 0.6 if point == "commit" else 0.002  # offsets alone are stored when nothing comes
                crash = f"{point} {count}" + (f" {chance.getrandbits(60)}" if power else "")
                w.stop() if w.process.poll() is None else None
                w.env = {"WEIR_TEST_CRASH": crash, "WEIR_TEST_BOOT_ID": f"boot-{n if power else 0}"}
                w.start()
                with contextlib.suppress(AssertionError):
                    wait_until(lambda: w.process.poll() is not None, 60)
                assert w.process.returncode == -9, (crash, w.process.returncode)
        w.env = {"WEIR_TEST_BOOT_ID": f"boot-{ROUNDS if power else 0}"}
        w.start()
        w.wait_running(name)
        events = doubled = 0
        for t in TABLES:
            found = arrive(w, f"{name}.{name}.{t}", server, f"{name}.{t}")
            doubled += check(found, may_repeat=power)
            events += len(found)
        print(f"{ROUNDS} {'power cuts' if power else 'kills'}, {writer.count} changes, {events} events, {doubled} twice")


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_kills_at_every_point(mariadb):
    rounds(mariadb, "points", power=False)


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_power_cuts_at_every_point(mariadb):
    rounds(mariadb, "cuts", power=True)
