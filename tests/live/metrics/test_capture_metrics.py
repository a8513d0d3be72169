"""Metrics of capture under the names of Debezium's JMX attributes, on /metrics and for the page."""
import re

import pytest
from databases import database
from mongo import mongo
from test_metrics import scrape
from weirproc import Weir, wait_until

# Every attribute of the specification, by context. What stands behind a bar is a text, a list or a map: a label on /metrics.
BOTH = """MilliSecondsSinceLastEvent TotalNumberOfEventsSeen TotalNumberOfCreateEventsSeen TotalNumberOfUpdateEventsSeen
    TotalNumberOfDeleteEventsSeen NumberOfEventsFiltered NumberOfErroneousEvents QueueTotalCapacity QueueRemainingCapacity
    MaxQueueSizeInBytes CurrentQueueSizeInBytes | LastEvent CapturedTables"""
STREAMING = BOTH + """ Connected MilliSecondsBehindSource MilliSecondsBehindSourceMinValue MilliSecondsBehindSourceMaxValue
    MilliSecondsBehindSourceAverageValue MilliSecondsBehindSourceP50 MilliSecondsBehindSourceP95 MilliSecondsBehindSourceP99
    NumberOfCommittedTransactions NumberOfDisconnects | SourceEventPosition LastTransactionId"""
SNAPSHOT = BOTH + """ TotalTableCount RemainingTableCount SnapshotRunning SnapshotPaused SnapshotCompleted SnapshotAborted SnapshotSkipped
    SnapshotDurationInSeconds SnapshotPausedDurationInSeconds | RowsScanned ChunkId ChunkFrom ChunkTo TableFrom TableTo"""
MYSQL = {
    "streaming": STREAMING + """ BinlogPosition IsGtidModeEnabled NumberOfSkippedEvents NumberOfRolledBackTransactions
        NumberOfNotWellFormedTransactions NumberOfLargeTransactions NumberOfUnchangedEventsSkipped | BinlogFilename GtidSet""",
    "snapshot": SNAPSHOT + " HoldingGlobalLock",
    "schema-history": """Status RecoveryStartTime ChangesRecovered ChangesApplied MilliSecondsSinceLastAppliedChange
        MilliSecondsSinceLastRecoveredChange | LastAppliedChange LastRecoveredChange""",
}
MONGODB = {
    "streaming": STREAMING + " NumberOfPrimaryElections LastSourceEventPollTime LastEmptyPollTime NumberOfEmptyPolls",
    "snapshot": SNAPSHOT + " NumberOfDisconnects",
}


class Shown:
    """What one connector shows."""

    def __init__(self, weir, plugin, name):
        self.weir, self.plugin, self.name = weir, plugin, name

    def value(self, context, attribute, **more):
        labels = {"plugin": self.plugin, "name": self.name, "context": context, **more}
        return scrape(self.weir.web + "/metrics").get((f"debezium_metrics_{attribute}", tuple(sorted(labels.items()))))

    def labels(self, context, attribute):
        """The labels that say something of this attribute, of each of its samples; their values are 1."""
        common = {"plugin": self.plugin, "name": self.name, "context": context}.items()
        found = [(dict(labels), v) for (name, labels), v in scrape(self.weir.web + "/metrics").items() if name == f"debezium_metrics_{attribute}"]
        own = [(labels, v) for labels, v in found if common <= labels.items()]
        assert all(v == 1 for _, v in own)
        return [{k: v for k, v in labels.items() if (k, v) not in common} for labels, _ in own]

    def page(self):
        path = f"/api/clusters/local/connects/first/connectors/{self.name}-connector/progress"
        status, tasks = self.weir.rest("GET", path, base=self.weir.web)
        assert status == 200 and len(tasks) == 1 and tasks[0]["task"] == 0
        return tasks[0]

    def check_names(self, wanted, unknown=()):
        """Every name is on /metrics and in what the page reads; texts in `unknown` have no value yet."""
        samples = {(name, dict(labels)["context"]) for name, labels in scrape(self.weir.web + "/metrics") if dict(labels).get("plugin") == self.plugin}
        page = self.page()
        for context, names in wanted.items():
            names = [n for n in names.split() if n != "|"]
            assert [n for n in names if n not in page[context]] == []
            assert [n for n in names if page[context][n] is None] == [n for n in names if n in unknown]
            assert [n for n in names if (f"debezium_metrics_{n}", context) not in samples] == [n for n in names if n in unknown]
            assert set(page[context]) - set(names) == set(), "an attribute that the list lacks"


@pytest.fixture
def weir():
    with Weir() as w:
        yield w


def ordered(shown):
    """Lags that belong together."""
    lag = {n: shown.value("streaming", "MilliSecondsBehindSource" + n) for n in ("", "MinValue", "MaxValue", "AverageValue", "P50", "P95", "P99")}
    assert 0 <= lag["MinValue"] <= lag["P50"] <= lag["P95"] <= lag["P99"] <= lag["MaxValue"]
    assert lag["MinValue"] <= lag["AverageValue"] <= lag["MaxValue"] and lag["MinValue"] <= lag[""] <= lag["MaxValue"]


def incremental(cursor, table):
    cursor.execute("INSERT INTO met.sig VALUES (UUID(), 'execute-snapshot', %s)", (f'{{"data-collections": ["{table}"]}}',))


def test_mariadb(weir):
    with database("mariadb") as db, db.client() as c, c.cursor() as cursor:
        cursor.execute("CREATE DATABASE met")
        cursor.execute("CREATE TABLE met.a (id INT PRIMARY KEY)")
        cursor.execute("CREATE TABLE met.b (id INT PRIMARY KEY, v INT)")
        cursor.execute("CREATE TABLE met.sig (id VARCHAR(42) PRIMARY KEY, type VARCHAR(32) NOT NULL, data VARCHAR(2048) NULL)")
        cursor.execute("GRANT INSERT, DELETE ON met.sig TO debezium")
        cursor.execute("INSERT INTO met.a VALUES (1), (2), (3)")
        weir.create_connector("met-connector", db.connector(
            "met", database_include_list="met", table_exclude_list="met.other", signal_data_collection="met.sig", incremental_snapshot_chunk_size="2",
            skip_messages_without_change="true", notification_enabled_channels="jmx", signal_enabled_channels="source,jmx"))
        weir.wait_running("met-connector")
        shown = Shown(weir, "mariadb", "met")
        v = shown.value
        wait_until(lambda: v("streaming", "Connected") == 1, 60)
        assert v("snapshot", "SnapshotCompleted") == 1 and v("snapshot", "SnapshotRunning") == 0
        assert v("snapshot", "TotalTableCount") == 2 and v("snapshot", "RemainingTableCount") == 0
        assert v("snapshot", "TotalNumberOfEventsSeen") == 3 and v("snapshot", "MilliSecondsSinceLastEvent") >= 0
        assert v("snapshot", "RowsScanned", table="met.a") == 3 and v("snapshot", "RowsScanned", table="met.b") == 0
        assert v("snapshot", "HoldingGlobalLock") == 0 and v("snapshot", "SnapshotAborted") == 0 and v("snapshot", "SnapshotSkipped") == 0
        assert shown.labels("snapshot", "LastEvent")[0]["last_event"].endswith('key: {"id":3}')
        note = {"aggregate_type": "Initial Snapshot"}
        assert v("snapshot", "Notifications", type="COMPLETED", **note) == 1 and v("snapshot", "Notifications", type="TABLE_SCAN_COMPLETED", **note) == 2
        assert v("snapshot", "Notifications", type="ABORTED", **note) == 0
        assert "signal channel jmx has no effect" in weir.log()
        stored = v("schema-history", "ChangesApplied")
        assert stored > 5 and v("schema-history", "Status", status="RUNNING") == 1
        assert v("schema-history", "RecoveryStartTime") == -1 and v("schema-history", "MilliSecondsSinceLastRecoveredChange") == -1
        assert v("streaming", "MilliSecondsBehindSource") == -1 and v("streaming", "MilliSecondsSinceLastEvent") == -1
        wait_until(lambda: "Connected to binlog" in weir.log())
        before = v("streaming", "NumberOfCommittedTransactions")
        cursor.execute("INSERT INTO met.b VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)")
        cursor.execute("UPDATE met.b SET v = 2 WHERE id = 5")
        cursor.execute("DELETE FROM met.b WHERE id = 1")
        wait_until(lambda: v("streaming", "TotalNumberOfDeleteEventsSeen") == 1, 60)
        assert v("streaming", "TotalNumberOfCreateEventsSeen") == 5 and v("streaming", "TotalNumberOfUpdateEventsSeen") == 1
        assert v("streaming", "NumberOfCommittedTransactions") >= before + 3
        assert v("streaming", "TotalNumberOfEventsSeen") > 0 and v("streaming", "BinlogPosition") > 4
        assert v("streaming", "MilliSecondsSinceLastEvent") >= 0
        ordered(shown)
        [place], [last] = shown.labels("streaming", "SourceEventPosition"), shown.labels("streaming", "LastEvent")
        assert place["row"] == "0" and int(place["pos"]) > 4
        assert last["last_event"] == f'position: {{"file":"{place["file"]}","pos":"{place["pos"]}","row":"0"}}, key: {{"id":1}}'
        assert shown.labels("streaming", "BinlogFilename") == [{"binlog_filename": place["file"]}]
        cursor.execute("SELECT @@gtid_binlog_pos")
        [gtid] = cursor.fetchone()
        assert shown.labels("streaming", "LastTransactionId") == [{"last_transaction_id": gtid}]
        assert sorted(x["table"] for x in shown.labels("streaming", "CapturedTables")) == ["met.a", "met.b", "met.sig"]
        assert shown.page()["snapshot"]["CapturedTables"] == ["met.a", "met.b", "met.sig"]

        cursor.execute("CREATE TABLE met.other (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO met.other VALUES (1)")
        wait_until(lambda: v("streaming", "NumberOfEventsFiltered") == 1, 60)
        cursor.execute("CREATE TABLE met.c (id INT PRIMARY KEY)")
        wait_until(lambda: {"table": "met.c"} in shown.labels("streaming", "CapturedTables"), 60)
        assert shown.labels("schema-history", "LastAppliedChange")[0]["last_applied_change"].startswith("CREATE TABLE met.c")
        incremental(cursor, "met.b")
        wait_until(lambda: v("snapshot", "RowsScanned", table="met.b") == 4, 60)
        page = shown.page()["snapshot"]
        assert (page["ChunkFrom"], page["ChunkTo"], page["TableFrom"], page["TableTo"]) == ("[4]", "[5]", "[2]", "[5]") and len(page["ChunkId"]) == 36
        assert shown.labels("snapshot", "ChunkTo") == [{"chunk_to": "[5]"}]
        shown.check_names(MYSQL, unknown={"LastRecoveredChange"})

        assert weir.rest("POST", "/connectors/met-connector/restart?includeTasks=true")[0] in (202, 204)
        wait_until(lambda: (v("schema-history", "ChangesRecovered") or 0) > stored, 60)
        assert v("schema-history", "MilliSecondsSinceLastRecoveredChange") >= 0 and v("schema-history", "RecoveryStartTime") > 1e9
        assert shown.labels("schema-history", "LastRecoveredChange")[0]["last_recovered_change"].startswith("CREATE TABLE met.c")
        wait_until(lambda: v("snapshot", "Notifications", type="SKIPPED", **note) == 1)
        assert v("snapshot", "SnapshotSkipped") == 1
        wait_until(lambda: v("streaming", "Connected") == 1 and weir.log().count("Connected to binlog") == 2, 60)
        cursor.execute("INSERT INTO met.sig VALUES ('1', 'execute-snapshot', '{\"data-collections\": [\"met.a\"]}'), ('2', 'pause-snapshot', '{}')")
        wait_until(lambda: v("snapshot", "SnapshotPaused") == 1, 60)
        wait_until(lambda: v("snapshot", "SnapshotPausedDurationInSeconds") > 0)
        cursor.execute("INSERT INTO met.sig VALUES ('3', 'resume-snapshot', '{}')")
        wait_until(lambda: v("snapshot", "SnapshotPaused") == 0 and v("snapshot", "RowsScanned", table="met.a") == 3, 60)
        assert v("snapshot", "SnapshotPausedDurationInSeconds") > 0


def test_an_idle_stream_is_not_behind(weir):
    """Heartbeats of the server are no events: they neither come behind the last change nor are they the last event."""
    with database("mariadb") as db, db.client() as c, c.cursor() as cursor:
        cursor.execute("CREATE DATABASE met")
        cursor.execute("CREATE TABLE met.a (id INT PRIMARY KEY)")
        weir.create_connector("met-connector", db.connector("met", database_include_list="met", connect_keep_alive_interval_ms="1000"))
        weir.wait_running("met-connector")
        wait_until(lambda: "Connected to binlog" in weir.log(), 60)
        cursor.execute("INSERT INTO met.a VALUES (1)")
        shown = Shown(weir, "mariadb", "met")
        wait_until(lambda: (shown.value("streaming", "MilliSecondsBehindSource") or -1) >= 0, 60)
        behind = shown.value("streaming", "MilliSecondsBehindSource")
        wait_until(lambda: shown.value("streaming", "MilliSecondsSinceLastEvent") > 3000, 60)
        assert shown.value("streaming", "MilliSecondsBehindSource") == behind


def test_mongodb(weir):
    with mongo() as db, db.client(w="majority") as client:
        client.met.c.insert_many([{"_id": i} for i in range(3)])
        weir.create_connector("met-connector", db.connector(
            "met", database_include_list="met", collection_exclude_list="met.other", signal_data_collection="met.sig", incremental_snapshot_chunk_size="2"))
        shown = Shown(weir, "mongodb", "met")
        v = shown.value
        wait_until(lambda: "Reading change stream" in weir.log(), 60)
        assert v("snapshot", "SnapshotCompleted") == 1 and v("snapshot", "MilliSecondsSinceLastEvent") >= 0
        assert shown.labels("snapshot", "LastEvent") == [{"last_event": 'key: {"id":"2"}'}]
        assert v("streaming", "MilliSecondsBehindSource") == -1
        client.met.c.insert_one({"_id": 3})
        client.met.c.update_one({"_id": 3}, {"$set": {"a": 1}})
        wait_until(lambda: v("streaming", "TotalNumberOfUpdateEventsSeen") == 1, 60)
        ordered(shown)
        [place], [last] = shown.labels("streaming", "SourceEventPosition"), shown.labels("streaming", "LastEvent")
        assert int(place["sec"]) > 1e9 and int(place["ord"]) > 0 and len(place["resume_token"]) > 20
        assert last["last_event"].startswith('position: {"sec":') and last["last_event"].endswith('key: {"id":"3"}')
        with client.start_session() as session, session.start_transaction():
            client.met.d.insert_one({"_id": 1}, session=session)
        wait_until(lambda: shown.labels("streaming", "LastTransactionId") != [], 60)
        assert re.fullmatch(r"\{\"id\":.*\}:\d+", shown.labels("streaming", "LastTransactionId")[0]["last_transaction_id"])
        wait_until(lambda: {"table": "met.d"} in shown.labels("streaming", "CapturedTables"), 60)
        client.met.sig.insert_one({"_id": "1", "type": "execute-snapshot", "data": {"data-collections": ["met.c"]}})
        wait_until(lambda: "Incremental snapshot of 'met.c' ended after 4 rows" in weir.log(), 60)
        page = shown.page()["snapshot"]
        assert len(page["ChunkId"]) == 36 and page["CapturedTables"] == ["met.c", "met.d", "met.sig"]
        shown.check_names(MONGODB)


def test_mysql(weir):
    """Positions are GTIDs: the set, and the transaction of the last event."""
    with database("mysql") as db, db.client() as c, c.cursor() as cursor:
        cursor.execute("CREATE DATABASE met")
        cursor.execute("CREATE TABLE met.b (id INT PRIMARY KEY)")
        weir.create_connector("met-connector", db.connector("met", database_include_list="met"))
        weir.wait_running("met-connector")
        shown = Shown(weir, "mysql", "met")
        wait_until(lambda: "Connected to binlog" in weir.log(), 60)
        cursor.execute("INSERT INTO met.b VALUES (1)")
        wait_until(lambda: shown.value("streaming", "TotalNumberOfCreateEventsSeen") == 1, 60)
        cursor.execute("SELECT @@server_uuid")
        [uuid] = cursor.fetchone()
        assert shown.value("streaming", "IsGtidModeEnabled") == 1
        assert re.fullmatch(rf"{uuid}:1-\d+", shown.labels("streaming", "GtidSet")[0]["gtid_set"])
        assert re.fullmatch(rf"{uuid}:\d+", shown.labels("streaming", "LastTransactionId")[0]["last_transaction_id"])
        ordered(shown)
        shown.check_names({"streaming": MYSQL["streaming"]})
