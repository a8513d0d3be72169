"""kafkajs: takes the highest version both sides know and never looks at the lowest."""
import json
import os

from clienttools import missing, restart, run, tool

HERE = os.path.dirname(os.path.abspath(__file__))
# Where `npm install kafkajs` was done; the tests' own folder by default.
MODULES = os.environ.get("KAFKAJS", os.path.join(HERE, "..", "..", "..", "build", "kafkajs"))


def js(weir, action):
    if not os.path.isdir(os.path.join(MODULES, "node_modules", "kafkajs")):
        missing("kafkajs")
    env = {**os.environ, "KAFKAJS_FROM": os.path.join(os.path.abspath(MODULES), "x.js")}
    done = run([tool("node"), os.path.join(HERE, "kafkajs_run.mjs"), weir.bootstrap, action], timeout=90, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def test_whole_round(weir):
    assert js(weir, "create") == {"made": True, "again": False, "partitions": 3}
    assert js(weir, "produce") == 201
    got = js(weir, "consume")
    by_key = {m["key"]: m for m in got}
    assert by_key["tombstone"]["value"] is None
    assert by_key["k7"]["value"] == "v7" and by_key["k7"]["headers"] == {"n": "7"}
    restart(weir)
    assert [m["value"] for m in js(weir, "more")] == ["after"]
    seen = js(weir, "admin")
    assert seen["groups"] == [{"groupId": "js-group", "protocolType": "consumer"}]
    assert seen["state"] == "Empty"
    assert seen["total"] == 202 and seen["committed"] == 202
    assert seen["policy"] == "delete"
    assert seen["controller"] == 1
    assert seen["topics"] == ["__consumer_offsets"]
