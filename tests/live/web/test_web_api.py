"""/api and the static files of :8080: shapes, errors, headers, and the commands that scripts use."""
import subprocess
import urllib.parse

import pytest

from kafka_io import producer
from webio import C, Web
from weirproc import Weir


def sh(command, weir):
    """A command as people paste it, with the test's port."""
    command = command.replace("localhost:8080", weir.web.removeprefix("http://"))
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def test_commands_that_scripts_rely_on():
    with Weir() as weir:
        jq = "python3 -c 'import json,sys; [print(x) for x in (lambda d: {})(json.load(sys.stdin))]'"
        assert sh("curl -s localhost:8080/api/clusters | " + jq.format('[c["name"] for c in d]'), weir) == "local\n"
        created = sh("""curl -s -w '%{http_code}' -XPOST localhost:8080/api/clusters/local/topics -H 'content-type: application/json' \
     -d '{"name":"orders","partitions":3,"replicationFactor":1,"configs":{"retention.ms":"86400000"}}'""", weir)
        assert created.endswith("201")
        names = sh("curl -s 'localhost:8080/api/clusters/local/topics?perPage=100' | " + jq.format('[t["name"] for t in d["topics"]]'), weir)
        assert names == "orders\n"
        sh("""curl -sf -XPOST localhost:8080/api/clusters/local/topics/orders/messages -H 'content-type: application/json' \
     -d '{"partition":0,"key":"1","value":"{\\"id\\":1}","keySerde":"String","valueSerde":"String"}'""", weir)
        out = sh("curl -sN 'localhost:8080/api/clusters/local/topics/orders/messages/v2?mode=EARLIEST&limit=5' | sed -n 's/^data://p' | "
                 "python3 -c 'import json,sys; print([json.loads(l)[\"message\"][\"value\"] for l in sys.stdin if \"MESSAGE\" in l])'", weir)
        assert out == "['{\"id\":1}']\n"
        sh("curl -s localhost:8080/actuator/health | grep -q UP", weir)


# --- application and cluster -----------------------------------------------------------------------

def test_application(web):
    info = web.ok("GET", "/api/info")
    assert info["enabledFeatures"] == [] and info["latestRelease"] is None
    assert info["build"]["version"].startswith("weir-") and info["build"]["isLatestRelease"] is True
    assert set(info["build"]) == {"commitId", "version", "buildTime", "isLatestRelease"}
    assert web.ok("GET", "/api/authorization") == {"rbacEnabled": False, "userInfo": None}
    assert web.ok("GET", "/api/config/authentication") == {"authType": "DISABLED", "oAuthProviders": []}
    for path in ("/actuator/health", "/actuator/health/liveness", "/actuator/health/readiness"):
        assert web.ok("GET", path) == {"status": "UP"}


def test_cluster_and_broker(web, weir):
    (c,) = web.ok("GET", "/api/clusters")
    assert (c["name"], c["status"], c["readOnly"], c["controller"]) == ("local", "ONLINE", False, "KRAFT")
    assert set(c) == {"name", "defaultCluster", "status", "lastError", "brokerCount", "onlinePartitionCount", "topicCount", "bytesInPerSec",
                      "bytesOutPerSec", "readOnly", "version", "features", "controller"}
    assert c["features"] == ["KAFKA_CONNECT", "TOPIC_DELETION"]
    assert set(web.ok("POST", f"{C}/cache")) == set(c)
    stats = web.ok("GET", f"{C}/stats")
    assert set(stats) == {"brokerCount", "zooKeeperStatus", "activeControllers", "onlinePartitionCount", "offlinePartitionCount",
                          "inSyncReplicasCount", "outOfSyncReplicasCount", "underReplicatedPartitionCount", "diskUsage", "version"}
    (b,) = web.ok("GET", f"{C}/brokers")
    assert b["port"] == weir.ports["kafka"] and b["partitionsSkew"] is None
    assert {"name", "value", "source", "isSensitive", "isReadOnly", "synonyms"} <= set(web.ok("GET", f"{C}/brokers/{b['id']}/configs")[0])
    assert web.ok("GET", f"{C}/metrics")["items"]
    web.refused("GET", "/api/clusters/nothere/stats", status=404, code=4007)
    web.refused("GET", f"{C}/ksql/tables", status=404, code=404)
    assert "weir" in web.call("GET", "/actuator/prometheus")[1]


# --- topics ----------------------------------------------------------------------------------------

TOPIC = {"name", "internal", "partitionCount", "replicationFactor", "replicas", "inSyncReplicas", "segmentSize", "segmentCount",
         "bytesInPerSec", "bytesOutPerSec", "underReplicatedPartitions", "messagesCount", "cleanUpPolicy", "partitions"}


def test_topic_life(web):
    made = web.create("life", 2, retention_ms="86400000", cleanup_policy="compact,delete")
    assert set(made) == TOPIC and made["cleanUpPolicy"] == "COMPACT_DELETE" and made["partitionCount"] == 2
    web.refused("POST", f"{C}/topics", {"name": "life", "partitions": 1})
    web.refused("POST", f"{C}/topics", {"name": "no/slash", "partitions": 1})
    web.refused("POST", f"{C}/topics", {"name": "none", "partitions": 0})
    web.refused("POST", f"{C}/topics", {"name": "huge", "partitions": 2 ** 32 + 1})
    web.refused("POST", f"{C}/topics", {"name": "bad", "partitions": 1, "configs": {"retention.ms": "soon"}})
    web.refused("POST", f"{C}/topics", {"name": "bad", "partitions": 1, "configs": {"retention.ms": {}}}, code=4001)
    details = web.ok("GET", f"{C}/topics/life")
    assert set(details) == TOPIC | {"keySerde", "valueSerde"}
    assert details["partitions"][1] == {"partition": 1, "leader": details["partitions"][1]["leader"], "offsetMax": 0, "offsetMin": 0,
                                        "replicas": [{"broker": details["partitions"][1]["leader"], "leader": True, "inSync": True}]}

    def configs():
        return {c["name"]: c for c in web.ok("GET", f"{C}/topics/life/config")}
    assert configs()["retention.ms"]["value"] == "86400000" and configs()["retention.ms"]["source"] == "DYNAMIC_TOPIC_CONFIG"
    assert set(configs()["retention.ms"]) == {"name", "value", "defaultValue", "source", "isSensitive", "isReadOnly", "synonyms", "doc"}
    web.ok("PATCH", f"{C}/topics/life", {"configs": {"retention.ms": 1000, "segment.bytes": "20000000", "preallocate": False}})
    assert configs()["retention.ms"]["value"] == "1000" and configs()["segment.bytes"]["value"] == "20000000"
    web.ok("PATCH", f"{C}/topics/life", {"configs": {"retention.ms": None, "segment.bytes": ""}})
    assert configs()["retention.ms"]["source"] == "DEFAULT_CONFIG" and configs()["segment.bytes"]["source"] == "DEFAULT_CONFIG"
    web.refused("PATCH", f"{C}/topics/life", {"configs": {"retention.ms": "soon"}})
    web.refused("PATCH", f"{C}/topics/none", {"configs": {"retention.ms": "1"}}, 404, 4008)

    assert web.ok("PATCH", f"{C}/topics/life/partitions", {"totalPartitionsCount": 6}) == {"totalPartitionsCount": 6, "topicName": "life"}
    web.refused("PATCH", f"{C}/topics/life/partitions", {"totalPartitionsCount": 6})
    web.refused("PATCH", f"{C}/topics/life/partitions", {"totalPartitionsCount": 3})
    web.refused("PATCH", f"{C}/topics/none/partitions", {"totalPartitionsCount": 3}, 404, 4008)

    web.ok("PATCH", f"{C}/topics/life", {"configs": {"retention.ms": "5000"}})
    assert web.ok("POST", f"{C}/topics/life/clone?newTopicName=life2", status=201)["partitionCount"] == 6
    copied = {c["name"]: c["value"] for c in web.ok("GET", f"{C}/topics/life2/config")}
    assert copied["retention.ms"] == "5000" and copied["cleanup.policy"] == "compact,delete"
    web.produce("life2", "x", key="k")
    assert web.ok("POST", f"{C}/topics/life2", status=201)["messagesCount"] == 0
    web.ok("DELETE", f"{C}/topics/life2")
    web.refused("GET", f"{C}/topics/life2", status=404, code=4008)
    web.refused("DELETE", f"{C}/topics/life2", status=404, code=4008)
    web.refused("GET", f"{C}/topics/life2/config", status=404, code=4008)
    web.refused("GET", f"{C}/topics/life2/consumer-groups", status=404, code=4008)
    web.refused("GET", f"{C}/topics/life2/serdes", status=404, code=4008)


def test_topic_list(web):
    for i in range(30):
        web.create(f"list-{i:02}", 1 + i % 3)
    web.create("_hidden-list")
    names = [t["name"] for t in web.ok("GET", f"{C}/topics?search=LIST&perPage=100")["topics"]]
    assert names == [f"list-{i:02}" for i in range(30)]
    page = web.ok("GET", f"{C}/topics?search=list-&page=2")
    assert page["pageCount"] == 2 and len(page["topics"]) == 5 and set(page["topics"][0]) == TOPIC
    assert web.ok("GET", f"{C}/topics?search=list&perPage=31&showInternal=true")["topics"][0]["name"] == "_hidden-list"
    rows = web.ok("GET", f"{C}/topics?search=list-&perPage=100&orderBy=TOTAL_PARTITIONS&sortOrder=DESC")["topics"]
    assert [t["partitionCount"] for t in rows] == [3] * 10 + [2] * 10 + [1] * 10
    assert rows[0]["name"] < rows[9]["name"]
    assert web.ok("GET", f"{C}/topics?search=list-&page=9")["topics"] == []
    assert web.ok("GET", f"{C}/topics?search=nothing") == {"pageCount": 0, "topics": []}


def test_serdes(web, topic):
    for use in ("SERIALIZE", "DESERIALIZE"):
        both = web.ok("GET", f"{C}/topics/{topic}/serdes?use={use}")
        assert [s["name"] for s in both["key"]] == ["String", "Int32", "Int64", "UInt32", "UInt64", "UUIDBinary", "Base64", "Hex"]
        assert both["key"][0]["preferred"] is True and [s["preferred"] for s in both["value"]].count(True) == 1
        assert set(both["value"][0]) == {"name", "description", "preferred", "schema", "additionalProperties", "parameters"}
    assert web.ok("GET", f"{C}/topic/{topic}/serdes") == both


# --- groups ----------------------------------------------------------------------------------------

def test_groups(web, weir, topic):
    from confluent_kafka import Consumer, TopicPartition
    p = producer(weir.bootstrap)
    for i in range(9):
        p.produce(topic, b"x", partition=i % 3, timestamp=1_700_000_000_000 + i)
    p.flush(10)
    group = f"group/{topic} %"
    path = f"{C}/consumer-groups/" + urllib.parse.quote(group, safe="")
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    c.subscribe([topic])
    first = None
    while first is None:
        first = c.poll(1)
    c.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    row = web.ok("GET", path)
    assert (row["groupId"], row["state"], row["members"], row["topics"], row["inherit"]) == (group, "STABLE", 1, 1, "details")
    parts = {x["partition"]: x for x in row["partitions"]}
    assert sorted(parts) == [0, 1, 2] and all(x["consumerId"] and x["topic"] == topic for x in parts.values())
    assert (parts[0]["currentOffset"], parts[0]["endOffset"], parts[0]["consumerLag"]) == (1, 3, 2)
    assert parts[1]["currentOffset"] is None and parts[1]["consumerLag"] is None
    listed = web.ok("GET", f"{C}/consumer-groups/paged?search=" + urllib.parse.quote(group[:-2]) + "&orderBy=MESSAGES_BEHIND&sortOrder=DESC")
    assert listed["pageCount"] == 1 and listed["consumerGroups"][0]["consumerLag"] == 2 and listed["consumerGroups"][0]["inherit"] == "basic"
    assert web.ok("GET", f"{C}/consumer-groups/paged?state=EMPTY&search=" + urllib.parse.quote(group))["consumerGroups"] == []
    (there,) = web.ok("GET", f"{C}/topics/{topic}/consumer-groups")
    assert there["groupId"] == group and there["consumerLag"] == 2
    assert "Stable" in web.refused("POST", path + "/offsets", {"topic": topic, "resetType": "EARLIEST"})
    web.refused("DELETE", path)
    c.close()

    def reset(want, **body):
        web.ok("POST", path + "/offsets", {"topic": topic, **body})
        got = {x["partition"]: x["currentOffset"] for x in web.ok("GET", path)["partitions"]}
        assert got == want
    reset({0: 3, 1: 3, 2: 3}, resetType="LATEST")
    reset({0: 0, 1: 3, 2: 0}, resetType="EARLIEST", partitions=[0, 2])
    reset({0: 2, 1: 3, 2: 0}, resetType="OFFSET", partitions=[0, 1, 2],
          partitionsOffsets=[{"partition": 0, "offset": 2}, {"partition": 1, "offset": 99}, {"partition": 2, "offset": -5}])
    reset({0: 2, 1: 1, 2: 1}, resetType="TIMESTAMP", resetToTimestamp=1_700_000_000_004)
    reset({0: 3, 1: 3, 2: 3}, resetType="TIMESTAMP", resetToTimestamp=1_800_000_000_000)
    web.refused("POST", path + "/offsets", {"topic": topic, "resetType": "SOMEHOW"})
    web.refused("POST", f"{C}/consumer-groups/none/offsets", {"topic": topic, "resetType": "LATEST"}, 404, 404)
    web.ok("DELETE", path + f"/topics/{topic}")
    assert web.ok("GET", path)["partitions"] == []
    web.ok("DELETE", path)
    web.refused("GET", path, status=404, code=404)


# --- static files ----------------------------------------------------------------------------------

def test_the_page(web):
    status, headers, body = web.raw("GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8" and b"<html" in body
    assert headers["Cache-Control"] == "no-cache" and headers["Vary"] == "Accept-Encoding" and headers["ETag"]
    assert "default-src 'none'" in headers["Content-Security-Policy"] and "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    for path in ("/ui", "/ui/clusters/local/all-topics/x", "/ui/nothing/like/this", "/index.html"):
        assert web.raw("GET", path)[2] == body
    assert web.raw("GET", "/", {"If-None-Match": headers["ETag"]})[0] == 304
    assert web.raw("GET", "/", {"If-None-Match": f'"x", W/{headers["ETag"]}'})[0] == 304
    assert web.raw("GET", "/", {"If-None-Match": '"x"'})[0] == 200
    status, packed, small = web.raw("GET", "/", {"Accept-Encoding": "br, gzip;q=0.5"})
    if packed["Content-Encoding"]:
        import gzip
        assert packed["Content-Encoding"] == "gzip" and gzip.decompress(small) == body
    assert web.raw("GET", "/", {"Accept-Encoding": "gzip;q=0"})[1]["Content-Encoding"] is None


@pytest.mark.parametrize("path", ["/", "/ui", "/ui/x", "/index.html", "/favicon.svg", "/actuator/health", "/api/info", "/assets/none.js"])
def test_head(web, path):
    got, head = web.raw("GET", path), web.raw("HEAD", path)
    assert head[0] == got[0] and head[2] == b""
    assert head[1]["Content-Type"] == got[1]["Content-Type"]
    if got[0] == 200:
        assert head[1]["Content-Length"] == str(len(got[2]))


def test_what_is_not_there(web):
    web.refused("GET", "/assets/none.js", status=404, code=404)
    web.refused("GET", "/api/nothing", status=404, code=404)
    web.refused("GET", "/nothing", status=404, code=404)
    status, headers, body = web.raw("DELETE", "/api/info")
    assert status == 405 and "GET" in headers["Allow"]


def test_api_answers_are_not_kept(web, topic):
    for path in ("/api/clusters", f"{C}/topics/{topic}", f"{C}/topics/none", "/api/nothing", f"{C}/topics/{topic}/messages/v2"):
        assert web.raw("GET", path)[1].get_all("Cache-Control") == ["no-store"], path


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"},
                                     {"Sec-Fetch-Site": "cross-site"}])
def test_other_sites_change_nothing(web, headers):
    status, answer = web.call("POST", f"{C}/topics", {"name": "evil", "partitions": 1}, headers)
    assert status == 403 and answer["code"] == 403, answer
    assert web.call("GET", f"{C}/topics/evil")[0] == 404


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_bodies_are_json(web, kind):
    status, answer = web.call("POST", f"{C}/topics", '{"name":"typed","partitions":1}', {"Content-Type": kind})
    assert status == 415 and answer["code"] == 415, answer
    assert web.call("GET", f"{C}/topics/typed")[0] == 404
    assert web.call("POST", f"{C}/cache", "", {"Content-Type": kind})[0] == 200
    made = web.call("POST", f"{C}/topics", {"name": "typed-" + kind.split("/")[0], "partitions": 1},
                    {"Content-Type": "Application/JSON; charset=utf-8"})
    assert made[0] == 201
