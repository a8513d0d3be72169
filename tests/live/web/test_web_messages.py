"""Messages on :8080: produce and read back, all modes, paging, search, live."""
import http.client
import json
import socket
import threading
import time

import pytest

from kafka_io import producer, read_all
from webio import C, Web
from weirproc import Weir, wait_until


def fill(weir, topic, partition, count, start_ms=1_700_000_000_000, step_ms=1000, value=lambda i: b"v%d" % i):
    p = producer(weir.bootstrap, linger_ms=5)
    for i in range(count):
        p.produce(topic, value(i), key=b"k%d" % i, partition=partition, timestamp=start_ms + i * step_ms)
    assert p.flush(30) == 0


# --- produce ---------------------------------------------------------------------------------------

def test_produced_records_arrive_byte_for_byte(web, weir, topic):
    answer = web.produce(topic, '{"id":1}', key="1", partition=2, keySerde="String", valueSerde="String", headers={"a": "b", "none": None})
    assert answer["partition"] == 2 and answer["offset"] == 0 and abs(answer["timestamp"] - time.time() * 1000) < 60000
    web.produce(topic, None, key="gone", partition=2)
    web.produce(topic, "", key="", partition=2)
    web.produce(topic, "9007199254740993", key="-1", partition=2, keySerde="Int64", valueSerde="UInt64")
    web.produce(topic, "00 ff 0A", key="AP8=", partition=2, keySerde="Base64", valueSerde="Hex")
    web.produce(topic, "nul \0 한글", key=None, partition=2,
                headersList=[{"key": "h", "value": "1"}, {"key": "h", "value": "2"}, {"key": "b", "valueB64": "/w=="}, {"key": "n"}])
    got = read_all(weir.bootstrap, topic, 6)
    assert [(m.key(), m.value()) for m in got] == [
        (b"1", b'{"id":1}'), (b"gone", None), (b"", b""), (b"\xff" * 8, (9007199254740993).to_bytes(8, "big")),
        (b"\x00\xff", b"\x00\xff\x0a"), (None, "nul \0 한글".encode())]
    assert got[0].headers() == [("a", b"b"), ("none", None)]
    assert got[5].headers() == [("h", b"1"), ("h", b"2"), ("b", b"\xff"), ("n", None)]

    shown, last = web.read(topic, mode="EARLIEST")
    assert last["cursor"] is None and [m["offset"] for m in shown] == list(range(6))
    assert shown[0] == {
        "partition": 2, "offset": 0, "timestamp": shown[0]["timestamp"], "timestampType": "CREATE_TIME", "key": "1", "value": '{"id":1}',
        "headers": {"a": "b", "none": None}, "headersList": [{"key": "a", "value": "b"}, {"key": "none", "value": None}],
        "headersSize": 6, "keySize": 1, "valueSize": 8, "keySerde": "String", "valueSerde": "String",
        "keyDeserializeProperties": {}, "valueDeserializeProperties": {}}
    assert shown[1]["value"] is None and shown[1]["valueNull"] is True and shown[1]["valueSize"] is None
    assert shown[2]["value"] == "" and shown[2]["key"] == "" and "valueNull" not in shown[2]
    assert shown[3]["keyB64"] == "//////////8="
    assert shown[5]["value"] == "nul \0 한글" and shown[5]["key"] is None and shown[5]["keySerde"] is None
    assert shown[5]["headers"] == {"h": "2", "b": "\ufffd", "n": None}
    assert [h["key"] for h in shown[5]["headersList"]] == ["h", "h", "b", "n"] and shown[5]["headersList"][2]["valueB64"] == "/w=="

    shown, _ = web.read(topic, mode="FROM_OFFSET", offset=3, limit=1, partitions=2, keySerde="Int64", valueSerde="UInt64")
    assert shown[0]["key"] == "-1" and shown[0]["value"] == "9007199254740993" and shown[0]["valueSerde"] == "UInt64"
    shown, _ = web.read(topic, mode="FROM_OFFSET", offset=0, limit=1, partitions=2, valueSerde="Int64", keySerde="Hex")
    assert shown[0]["valueSerde"] == "Int64" and shown[0]["value"] == str(int.from_bytes(b'{"id":1}', "big"))
    assert shown[0]["key"] == "31" and shown[0]["keySerde"] == "Hex"
    shown, _ = web.read(topic, mode="FROM_OFFSET", offset=4, limit=1, partitions=2, valueSerde="Int64")
    assert shown[0]["valueSerde"] == "Fallback"


def test_the_partitioner_is_that_of_clients(web, weir, topic):
    keys = ["%d" % i for i in range(40)] + ["키", "21", "foobar", "a-little-bit-long-string"]
    p = producer(weir.bootstrap, partitioner="murmur2_random")
    for k in keys:
        p.produce(topic, b"client", key=k.encode())
    assert p.flush(30) == 0
    chosen = {m.key().decode(): m.partition() for m in read_all(weir.bootstrap, topic, len(keys))}
    assert {k: web.produce(topic, "web", key=k)["partition"] for k in keys} == chosen
    assert {web.produce(topic, "web", partition=-1)["partition"] for _ in range(30)} == {0, 1, 2}


def test_produce_refused(web, topic):
    path = f"{C}/topics/{topic}/messages"
    web.refused("POST", path, {"partition": 3, "value": "x"}, code=4013)
    web.refused("POST", path, {"partition": -2, "value": "x"}, code=4013)
    web.refused("POST", f"{C}/topics/none/messages", {"value": "x"}, 404, 4008)
    assert "Int32" in web.refused("POST", path, {"value": "x", "valueSerde": "Int32"})
    web.refused("POST", path, {"value": "x", "valueSerde": "Avro"})
    web.refused("POST", path, {"value": {"no": "text"}})
    web.refused("POST", path, {"value": "x", "headers": {"h": 1}})
    web.refused("POST", path, {"value": "x", "headersList": [{"value": "no key"}]})
    web.refused("POST", path, "[1]", code=4001)
    web.refused("POST", path, "{not json", code=4001)
    assert web.at(topic, mode="EARLIEST") == []


def test_purge(web, weir, topic):
    for partition in range(3):
        fill(weir, topic, partition, 5)
    web.ok("DELETE", f"{C}/topics/{topic}/messages?partitions=1")
    assert [(p["offsetMin"], p["offsetMax"]) for p in web.ok("GET", f"{C}/topics/{topic}")["partitions"]] == [(0, 5), (5, 5), (0, 5)]
    assert {p for p, _ in web.at(topic, mode="EARLIEST")} == {0, 2}
    web.refused("DELETE", f"{C}/topics/{topic}/messages?partitions=0,9", code=4013)
    web.ok("DELETE", f"{C}/topics/{topic}/messages")
    assert web.at(topic) == []
    web.create(topic + "c", cleanup_policy="compact")
    assert "compact" in web.refused("DELETE", f"{C}/topics/{topic}c/messages")
    web.refused("DELETE", f"{C}/topics/none/messages", status=404, code=4008)


# --- modes -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def modes(weir):
    """Three partitions: ten records each second, then five, then none."""
    web = Web(weir)
    web.create("modes", 3)
    fill(weir, "modes", 0, 10, 1_700_000_000_000)
    fill(weir, "modes", 1, 5, 1_700_000_000_500)
    return web


def by_time(records):
    return [(p, o) for _, p, o in sorted((500 * p + 1000 * o, p, o) for p, o in records)]


EVERYTHING = by_time([(0, o) for o in range(10)] + [(1, o) for o in range(5)])


@pytest.mark.parametrize("query, want", [
    ({"mode": "EARLIEST"}, EVERYTHING),
    ({}, EVERYTHING[::-1]),
    ({"mode": "LATEST"}, EVERYTHING[::-1]),
    ({"mode": "FROM_OFFSET", "offset": 3}, by_time([(0, o) for o in range(3, 10)] + [(1, 3), (1, 4)])),
    ({"mode": "FROM_OFFSET", "offset": 7}, [(0, 7), (0, 8), (0, 9)]),
    ({"mode": "FROM_OFFSET", "offset": 100}, []),
    ({"mode": "TO_OFFSET", "offset": 2}, by_time([(0, 0), (0, 1), (1, 0), (1, 1)])[::-1]),
    ({"mode": "TO_OFFSET", "offset": 100}, EVERYTHING[::-1]),
    ({"mode": "TO_OFFSET", "offset": 0}, []),
    ({"mode": "FROM_TIMESTAMP", "timestamp": 1_700_000_003_000}, by_time([(0, o) for o in range(3, 10)] + [(1, 3), (1, 4)])),
    ({"mode": "FROM_TIMESTAMP", "timestamp": 1_700_000_007_500}, [(0, 8), (0, 9)]),
    ({"mode": "FROM_TIMESTAMP", "timestamp": 1_800_000_000_000}, []),
    ({"mode": "TO_TIMESTAMP", "timestamp": 1_700_000_002_000}, by_time([(0, 0), (0, 1), (1, 0), (1, 1)])[::-1]),
    ({"mode": "TO_TIMESTAMP", "timestamp": 1_800_000_000_000}, EVERYTHING[::-1]),
    ({"mode": "EARLIEST", "partitions": "1"}, [(1, o) for o in range(5)]),
    ({"mode": "EARLIEST", "partitions": "0,1"}, EVERYTHING),
    ({"mode": "EARLIEST", "partitions": ["0", "1"]}, EVERYTHING),
    ({"mode": "EARLIEST", "partitions": ""}, EVERYTHING),
    ({"mode": "EARLIEST", "partitions": "2"}, []),
    ({"mode": "EARLIEST", "unknown": "x", "limit": "0"}, EVERYTHING),
])
def test_modes(modes, query, want):
    got, last = modes.read("modes", **{"limit": 500, **query})
    assert [(m["partition"], m["offset"]) for m in got] == want
    assert last["cursor"] is None


def test_a_small_page_is_taken_from_all_partitions(modes):
    assert modes.at("modes", limit=4) == [(0, 9), (0, 8), (1, 4), (1, 3)]
    assert modes.at("modes", mode="EARLIEST", limit=4) == EVERYTHING[:4]


@pytest.mark.parametrize("query, code", [
    ({"mode": "NEWEST"}, 4002), ({"mode": "FROM_OFFSET"}, 4002), ({"mode": "TO_OFFSET", "offset": "x"}, 4002),
    ({"mode": "FROM_TIMESTAMP", "offset": 1}, 4002), ({"mode": "TO_TIMESTAMP", "timestamp": -5}, 4002),
    ({"partitions": "3"}, 4013), ({"partitions": "x"}, 4002), ({"cursor": "nonsense"}, 4002), ({"smartFilterId": "12345678"}, 4002)])
def test_streams_refused(modes, query, code):
    import urllib.parse
    modes.refused("GET", f"{C}/topics/modes/messages/v2?" + urllib.parse.urlencode(query), code=code)
    modes.refused("GET", f"{C}/topics/none/messages/v2", status=404, code=4008)
    modes.refused("GET", "/api/clusters/other/topics/modes/messages/v2", status=404, code=4007)


def test_events_in_order(modes):
    s = modes.stream("modes", mode="EARLIEST", limit=10)
    events = list(s.events())
    kinds = [e["type"] for e in events]
    assert events[0]["phase"]["name"] == "Consumer created" and events[1]["phase"]["name"] == "Polling partitions: [0, 1]"
    assert kinds[2] == "CONSUMING" and kinds[3] == "MESSAGE" and kinds[-1] == "DONE" and kinds.count("MESSAGE") == 10
    assert set(events[-1]["consuming"]) == {"bytesConsumed", "elapsedMs", "isCancelled", "messagesConsumed", "filterApplyErrors"}
    assert events[-1]["consuming"]["messagesConsumed"] >= 10


def test_an_unknown_serde_is_said(modes):
    s = modes.stream("modes", mode="EARLIEST", limit=1, keySerde="SchemaRegistry", valueSerde="Hex")
    events = list(s.events())
    assert "SchemaRegistry" in events[1]["phase"]["name"]
    message = next(e["message"] for e in events if e["type"] == "MESSAGE")
    assert message["keySerde"] == "String" and message["valueSerde"] == "Hex"


def test_old_parameters(modes):
    def old(query):
        status, headers, body = modes.raw("GET", f"{C}/topics/modes/messages?{query}")
        assert status == 200, body
        events = [json.loads(line[5:]) for line in body.decode().splitlines() if line.startswith("data:")]
        return [(e["message"]["partition"], e["message"]["offset"]) for e in events if e["type"] == "MESSAGE"]
    assert old("seekType=BEGINNING&limit=500") == EVERYTHING
    assert old("seekType=LATEST&seekDirection=BACKWARD&limit=500") == EVERYTHING[::-1]
    assert old("seekType=OFFSET&seekTo=0::8,1::4&seekDirection=FORWARD") == [(1, 4), (0, 8), (0, 9)]
    assert old("seekType=OFFSET&seekTo=0::1&seekTo=1::1&seekDirection=BACKWARD") == [(1, 0), (0, 0)]
    assert old("seekType=TIMESTAMP&seekTo=0::1700000008000&seekDirection=FORWARD") == [(0, 8), (0, 9)]
    assert old("seekType=BEGINNING&q=v3&limit=500") == [(0, 3), (1, 3)]
    modes.refused("GET", f"{C}/topics/modes/messages?seekType=OFFSET")
    assert "Groovy" in modes.refused("GET", f"{C}/topics/modes/messages?q=x&filterQueryType=GROOVY_SCRIPT")


# --- paging ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["LATEST", "EARLIEST"])
def test_paging_gives_each_record_once(web, weir, topic, mode):
    fill(weir, topic, 0, 170, step_ms=10)
    fill(weir, topic, 2, 80, step_ms=35)
    pages, query = [], {"mode": mode, "limit": 100}
    while query:
        got, last = web.read(topic, **query)
        pages.append([(m["partition"], m["offset"]) for m in got])
        query = last["cursor"] and {"cursor": last["cursor"]["id"]}
    assert [len(p) for p in pages] == [100, 100, 50]
    everything = sum(pages, [])
    assert sorted(everything) == [(0, o) for o in range(170)] + [(2, o) for o in range(80)]
    for partition in (0, 2):
        offsets = [o for p, o in everything if p == partition]
        assert offsets == sorted(offsets, reverse=mode == "LATEST")


def test_a_cursor_keeps_the_question_and_survives_a_restart():
    with Weir() as weir:
        web = Web(weir)
        web.create("kept", 2)
        fill(weir, "kept", 0, 100, value=lambda i: b"%d even" % i if i % 2 == 0 else b"odd")
        first, last = web.read("kept", limit=10, stringFilter="even", valueSerde="Hex", keySerde="Base64")
        assert first == []  # the filter sees what is shown
        first, last = web.read("kept", limit=10, stringFilter="even", partitions="0", keySerde="Base64")
        cursor = last["cursor"]["id"]
        assert [m["offset"] for m in first] == list(range(98, 78, -2))
        weir.kill()
        weir.start()
        second, last = Web(weir).read("kept", cursor=cursor)
        assert [m["offset"] for m in second] == list(range(78, 58, -2)) and second[0]["keySerde"] == "Base64"
        assert Web(weir).refused("GET", f"{C}/topics/kept/messages/v2?cursor={cursor[:-2]}xx")
        Web(weir).create("other")
        Web(weir).refused("GET", f"{C}/topics/other/messages/v2?cursor={cursor}")


# --- search ----------------------------------------------------------------------------------------

def test_search(web, weir, topic):
    web.produce(topic, "plain 한글 text", key="k1", partition=0)
    web.produce(topic, json.dumps({"name": "한글"}), key="k2", partition=0)
    web.produce(topic, json.dumps({"name": "한글"}).replace("ud55c", "uD55C").replace("uae00", "uAE00"), key="k3", partition=0)
    web.produce(topic, "x", key="needle-key", partition=0)
    web.produce(topic, "x", key="k5", partition=0, headers={"needle-name": "1"})
    web.produce(topic, "x", key="k6", partition=0, headers={"h": "a needle-value"})
    assert [o for _, o in web.at(topic, mode="EARLIEST", stringFilter="한글")] == [0, 1, 2]
    assert [o for _, o in web.at(topic, mode="EARLIEST", stringFilter="needle")] == [3, 4, 5]
    assert web.at(topic, mode="EARLIEST", stringFilter="NEEDLE") == []
    assert web.at(topic, stringFilter="nothing has this") == []


def test_a_long_search_reports_and_can_be_left(web, weir):
    web.create("long")
    p = producer(weir.bootstrap, linger_ms=50, batch_num_messages=10000, compression_type="lz4", queue_buffering_max_messages=1000000)
    for i in range(400_000):
        p.produce("long", b"record %d" % i, key=b"k")
        if i % 10000 == 0:
            p.poll(0)
    assert p.flush(60) == 0
    got, last = web.read("long", stringFilter="record 7 nowhere")
    assert got == [] and last["consuming"]["messagesConsumed"] == 400_000 and last["cursor"] is None
    assert web.at("long", stringFilter="record 399999") == [(0, 399_999)]
    assert web.at("long", mode="EARLIEST", stringFilter="record 399999", limit=1) == [(0, 399_999)]


# --- large values ----------------------------------------------------------------------------------

def test_large_values_are_cut(web, weir, topic):
    web.ok("PATCH", f"{C}/topics/{topic}", {"configs": {"max.message.bytes": "20000000"}})
    big = "글" * 1_500_000
    web.produce(topic, big, key="big", partition=0)
    (m,), _ = web.read(topic)
    assert m["truncated"] is True and m["valueSize"] == 4_500_000 and m["value"] == big[:(1 << 20) // 3]
    (m,), _ = web.read(topic, maxBytes=10_000_000)
    assert m["value"] == big and "truncated" not in m
    (m,), _ = web.read(topic, maxBytes=4)
    assert m["value"] == "글" and m["key"] == "big"
    assert len(web.at(topic, stringFilter=big[-100:])) == 1


# --- live ------------------------------------------------------------------------------------------

def test_tailing_shows_what_comes_within_a_second(web, weir, topic):
    fill(weir, topic, 0, 5)
    s = web.stream(topic, mode="TAILING")
    events = s.events()
    assert next(events)["phase"]["name"] == "Consumer created"
    for partition in (1, 0, 2, 1):  # into empty partitions too, and nothing from before
        sent = time.monotonic()
        at = web.produce(topic, "now", key="k", partition=partition)
        message = next(e["message"] for e in events if e["type"] == "MESSAGE")
        assert time.monotonic() - sent < 1
        assert (message["partition"], message["offset"]) == (partition, at["offset"])
    s.close()


def test_tailing_loses_nothing_at_500_a_second(web, weir, topic):
    s = web.stream(topic, mode="TAILING")
    events = s.events()
    next(events)
    p = producer(weir.bootstrap, linger_ms=5)

    def send():
        for i in range(1500):
            p.produce(topic, b"%d" % i, partition=i % 3)
            p.poll(0)
            time.sleep(0.002)
        p.flush(30)
    sender = threading.Thread(target=send)
    sender.start()
    seen = []
    while len(seen) < 1500:
        e = next(events)
        if e["type"] == "MESSAGE":
            seen.append(int(e["message"]["value"]))
        elif e["consuming"]:
            assert "skipped" not in e["consuming"]
    sender.join()
    s.close()
    assert sorted(seen) == list(range(1500))


def test_tailing_with_a_filter_and_until_the_topic_goes(web, topic):
    s = web.stream(topic, mode="TAILING", stringFilter="yes", partitions="1")
    events = s.events()
    next(events)
    for value, partition in (("no", 1), ("yes elsewhere", 0), ("yes", 1)):
        web.produce(topic, value, partition=partition)
    assert next(e["message"]["value"] for e in events if e["type"] == "MESSAGE") == "yes"
    web.ok("DELETE", f"{C}/topics/{topic}")
    rest = list(events)
    assert rest[-1]["type"] == "DONE" and any(e["type"] == "PHASE" for e in rest)


def test_a_stuck_client_disturbs_nobody(web, weir, topic):
    """One client reads nothing: others go on, it misses records and is told so when it reads again."""
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((web.host, web.port))
    stuck.sendall(f"GET {C}/topics/{topic}/messages/v2?mode=TAILING HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    s = web.stream(topic, mode="TAILING")
    events = s.events()
    next(events)
    time.sleep(0.5)
    total, seen, skipped = 6000, 0, 0

    def send():
        p = producer(weir.bootstrap, linger_ms=5)
        for i in range(total):
            p.produce(topic, b"x" * 2000, partition=0)
            if i % 100 == 99:
                p.flush(10)
                time.sleep(0.04)
    sender = threading.Thread(target=send)
    sender.start()
    began = time.monotonic()
    while seen + skipped < total and time.monotonic() - began < 20:
        e = next(events)
        seen += e["type"] == "MESSAGE"
        if e["consuming"]:
            skipped = e["consuming"].get("skipped", 0)
    sender.join()
    assert seen == total and skipped == 0
    assert web.ok("GET", "/api/info")["build"]["version"]
    time.sleep(1.5)
    stuck.settimeout(10)
    text, began = b"", time.monotonic()
    while b'"skipped":' not in text and time.monotonic() - began < 20:
        text = text[-100:] + stuck.recv(1 << 20)
    assert b'"skipped":' in text
    stuck.close()
    s.close()


def threads(weir, name):
    """Threads of the process with this name."""
    import os
    count, base = 0, f"/proc/{weir.process.pid}/task"
    for t in os.listdir(base):
        try:
            count += open(f"{base}/{t}/comm").read().strip() == name
        except FileNotFoundError:
            pass
    return count


def test_streams_end_with_their_clients_and_have_a_limit(web, weir, topic):
    wait_until(lambda: threads(weir, "weir-messages") == 0)
    streams = [web.stream(topic, mode="TAILING") for _ in range(32)]
    assert all(s.status == 200 for s in streams)
    assert threads(weir, "weir-messages") == 32
    assert "32" in web.refused("GET", f"{C}/topics/{topic}/messages/v2", code=4014)
    for s in streams:
        s.answer.close()
        s.close()
    wait_until(lambda: threads(weir, "weir-messages") == 0, 1)
    assert web.at(topic) == []


def test_a_stop_ends_streams():
    with Weir() as weir:
        web = Web(weir)
        web.create("t", 2)
        streams = [web.stream("t", mode="TAILING") for _ in range(3)]
        for s in streams:
            next(s.events())
        began = time.monotonic()
        assert weir.stop() == 0
        assert time.monotonic() - began < 5
        for s in streams:
            try:
                list(s.lines())
            except (http.client.HTTPException, OSError):
                pass
