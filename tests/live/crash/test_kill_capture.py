"""kill -9 under capture load: every change of every row is there, and the events end where the table does."""
import os
import random
import time

import pytest

from changes import CREATE, Changes, arrive, check
from weirproc import Weir

ROUNDS = max(20, int(os.environ.get("ROUNDS", "50")) * 2 // 5)


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_no_event_is_lost_or_doubled(mariadb):
    mariadb.sql(f"DROP DATABASE IF EXISTS torture;\nCREATE DATABASE torture;\nUSE torture;\n{CREATE.format('t')}")
    with Weir() as w:
        w.create_connector("torture", mariadb.connector("k9", database_include_list="torture"))
        w.wait_running("torture")
        with Changes(mariadb, "torture") as writer:
            for _ in range(ROUNDS):
                time.sleep(random.uniform(0.02, 0.5))
                w.kill()
                w.start()
        w.wait_running("torture")
        found = arrive(w, "k9.torture.t", mariadb, "torture.t")
        check(found)
        print(f"{ROUNDS} rounds, {writer.count} changes, {len(found)} events")
