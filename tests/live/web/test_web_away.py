"""A connector whose database is down stays RUNNING, as Connect has it; the page's API says since when it is away."""
import time

from databases import database
from mongo import mongo
from weirproc import wait_until
from webio import C

X = f"{C}/connects/first"


def away(web, name):
    """What list and detail say, which is the same."""
    row = next(r for r in web.ok("GET", f"{C}/connectors") if r["name"] == name)
    detail = web.ok("GET", f"{X}/connectors/{name}")
    assert row["status"]["state"] == detail["status"]["state"] == "RUNNING"
    if row["notConnectedSince"] != detail["notConnectedSince"]:
        return "changes"
    return row["notConnectedSince"]


def follow(weir, web, name, config, stop, start):
    weir.create_connector(name, config)
    weir.wait_running(name)
    streams = lambda: [(p["phase"], p["connected"]) for p in web.ok("GET", f"{X}/connectors/{name}/progress")]
    wait_until(lambda: streams() == [("STREAMING", True)], 30)
    assert away(web, name) is None
    before = time.time() * 1000
    stop()
    since = wait_until(lambda: isinstance(at := away(web, name), int) and at, 30)
    assert before - 1000 < since < time.time() * 1000 + 1000
    row = wait_until(lambda: next(r for r in web.ok("GET", f"{C}/connectors") if r["name"] == name and r["recentWarnings"]), 30)
    assert 1 <= row["recentWarnings"] <= 8
    (progress,) = web.ok("GET", f"{X}/connectors/{name}/progress")
    assert progress["connected"] is False and progress["streaming"]["Connected"] == 0
    time.sleep(1)
    assert away(web, name) == since  # still the first moment
    start()
    wait_until(lambda: away(web, name) is None and streams() == [("STREAMING", True)], 60)


def test_mariadb(weir, web):
    with database("mariadb") as db:
        follow(weir, web, "away-sql", db.connector("awaysql"), db.kill, db.start_local)


def test_mongodb(weir, web):
    with mongo() as db:
        follow(weir, web, "away-mongo", db.connector("awaymongo"), db.kill, db.start_member)
