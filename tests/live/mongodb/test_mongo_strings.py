"""Connection strings with concerns in them: what the string asks for does not stand beside what weir's commands ask for."""
import json

import pytest

from kafka_io import events
from mongo import mongo
from weirproc import Weir, wait_until


@pytest.fixture(scope="module")
def db():
    with mongo() as server:
        yield server


@pytest.mark.parametrize("concern", ["w=majority", "w=1&journal=true&wTimeoutMS=5000", "readConcernLevel=local", "readConcernLevel=majority&w=majority&retryWrites=true"])
def test_concerns(db, concern):
    """Initial, incremental and streamed documents all arrive."""
    with db.client(w="majority") as client, Weir() as w:
        client.drop_database("s")
        client.s.t.insert_many([{"_id": i} for i in range(1, 11)])
        client.s.signals.insert_one({"_id": 0})
        config = db.connector("c", database_include_list="s", signal_data_collection="s.signals", incremental_snapshot_chunk_size=3)
        config["mongodb.connection.string"] += "&" + concern
        w.create_connector("c", config)
        wait_until(lambda: "Reading change stream" in w.log())
        client.s.signals.insert_one({"_id": "a", "type": "execute-snapshot", "data": json.dumps({"data-collections": ["s.t"], "type": "incremental"})})
        wait_until(lambda: "Incremental snapshot of 's.t' ended after 10 rows: SUCCEEDED" in w.log())
        client.s.t.insert_one({"_id": 11})
        found = events(w.bootstrap, "c.s.t", 21)
        assert sorted((v["op"], int(k["id"])) for k, v in found) == sorted([("r", i) for i in range(1, 11)] * 2 + [("c", 11)])
