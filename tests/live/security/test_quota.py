"""Client quotas: told, changed, held. SPEC: broker 11.6"""
import socket
import struct
import time

import pytest
from secure import PLAIN_JAAS, SecureWeir, missing
from weirproc import wait_until

try:
    from confluent_kafka import Consumer, Producer
except ImportError:
    Producer = None



@pytest.fixture(autouse=True)
def installed():
    if Producer is None:
        missing("confluent-kafka")


@pytest.fixture
def two():
    with SecureWeir({"PLAINTEXT": "PLAINTEXT", "SASL": "SASL_PLAINTEXT"},
                    {"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256", "listener.name.sasl.plain.sasl.jaas.config": PLAIN_JAAS}) as w:
        yield w


# --- raw calls: clients in Python have none for quotas ----------------------------------------------


def text(s):
    return b"\x00" if s is None else bytes([len(s) + 1]) + s.encode()


def call(address, key, version, body):
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as s:
        s.sendall(struct.pack(">ihhih", 11 + len(body), key, version, 1, -1) + b"\0" + body)
        size, = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))
        return s.recv(size, socket.MSG_WAITALL)[5:]


def alter(w, entity, ops):
    """The error code of AlterClientQuotas v1 for one entity: {"user": "alice"}, {"producer_byte_rate": 1000 or None}."""
    body = bytes([2, len(entity) + 1])
    for kind, name in entity.items():
        body += text(kind) + text(name) + b"\0"
    body += bytes([len(ops) + 1])
    for key, value in ops.items():
        body += text(key) + struct.pack(">d?", value or 0, value is None) + b"\0"
    answer = call(w.at["PLAINTEXT"], 49, 1, body + b"\0" + b"\0" + b"\0")
    code, = struct.unpack(">h", answer[5:7])
    return code


def describe(w, components, strict=False):
    """Entries of DescribeClientQuotas v1: {"user": (match type, match)}."""
    body = bytes([len(components) + 1])
    for kind, (how, match) in components.items():
        body += text(kind) + bytes([how]) + text(match) + b"\0"
    answer = call(w.at["PLAINTEXT"], 48, 1, body + bytes([strict]) + b"\0")
    at = 4 + 2 + 1  # throttle time, error code, null text
    assert answer[4:7] == b"\0\0\0", answer
    found = []

    def name():
        nonlocal at
        size = answer[at] - 1
        at += 1 + max(size, 0)
        return None if size < 0 else answer[at - size:at].decode()
    count = answer[at] - 1
    at += 1
    for _ in range(count):
        entity, values = {}, {}
        parts = answer[at] - 1
        at += 1
        for _ in range(parts):
            kind = name()
            entity[kind] = name()
            at += 1
        parts = answer[at] - 1
        at += 1
        for _ in range(parts):
            key = name()
            values[key], = struct.unpack(">d", answer[at:at + 8])
            at += 9
        at += 1
        found.append((entity, values))
    return found


def test_alter_and_describe_are_exact(two):
    assert alter(two, {"user": "alice"}, {"producer_byte_rate": 1024, "request_percentage": 12.5}) == 0
    assert alter(two, {"user": None, "client-id": "c"}, {"consumer_byte_rate": 2048}) == 0
    assert alter(two, {"ip": "127.0.0.9"}, {"connection_creation_rate": 5}) == 0
    for entity, ops in (({"user": "alice"}, {"producer_byte_rate": 0}), ({"user": "alice"}, {"producer_byte_rate": 1.5}),
                        ({"user": "alice"}, {"nonsense": 1}), ({"user": "alice"}, {"connection_creation_rate": 1}),
                        ({"ip": "127.0.0.9"}, {"producer_byte_rate": 1}), ({"ip": "127.0.0.9", "user": "a"}, {"producer_byte_rate": 1}),
                        ({"shoe": "x"}, {"producer_byte_rate": 1}), ({"user": ""}, {"producer_byte_rate": 1}), ({}, {"producer_byte_rate": 1})):
        assert alter(two, entity, ops) == 42, (entity, ops)
    two.kill()
    two.start()
    assert describe(two, {"user": (0, "alice")}) == [({"user": "alice"}, {"producer_byte_rate": 1024.0, "request_percentage": 12.5})]
    assert describe(two, {"user": (1, None), "client-id": (0, "c")}) == [({"user": None, "client-id": "c"}, {"consumer_byte_rate": 2048.0})]
    assert describe(two, {"ip": (2, None)}) == [({"ip": "127.0.0.9"}, {"connection_creation_rate": 5.0})]
    assert len(describe(two, {"user": (2, None)})) == 2 and len(describe(two, {"user": (2, None)}, strict=True)) == 1
    assert len(describe(two, {})) == 3 and describe(two, {"user": (0, "nobody")}) == []


def test_producers_wait(two):
    """A client above its rate hears how long it waits, and is served after that."""
    assert alter(two, {"user": "alice"}, {"producer_byte_rate": 20_000}) == 0
    waits = []
    producer = Producer({"bootstrap.servers": two.at["SASL"], "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                         "sasl.username": "alice", "sasl.password": "alice-secret", "throttle_cb": lambda e: waits.append(e.throttle_time),
                         "linger.ms": 0})
    free = Producer({"bootstrap.servers": two.at["PLAINTEXT"], "throttle_cb": lambda e: waits.append(-1), "linger.ms": 0})
    began = time.monotonic()
    producer.produce("throttled", b"x" * 210_000)  # ten seconds' worth, and a half on top of that
    assert producer.flush(20) == 0
    wait_until(lambda: producer.poll(0.1) is not None and waits)
    producer.produce("throttled", b"y")
    assert producer.flush(20) == 0
    assert time.monotonic() - began > waits[0] * 0.9 > 0
    free.produce("free", b"x" * 900_000)
    assert free.flush(20) == 0 and -1 not in waits
    assert alter(two, {"user": "alice"}, {"producer_byte_rate": None}) == 0
    count = len(waits)
    producer.produce("throttled", b"x" * 500_000)
    assert producer.flush(20) == 0 and not any(waits[count:])


def test_consumers_wait(two):
    producer = Producer({"bootstrap.servers": two.at["PLAINTEXT"]})
    for _ in range(8):
        producer.produce("t", b"x" * 100_000)
    assert producer.flush(20) == 0
    assert alter(two, {"client-id": "slow"}, {"consumer_byte_rate": 75_000}) == 0
    waits = []
    consumer = Consumer({"bootstrap.servers": two.at["PLAINTEXT"], "group.id": "g", "client.id": "slow", "auto.offset.reset": "earliest",
                         "throttle_cb": lambda e: waits.append(e.throttle_time)})
    consumer.subscribe(["t"])
    got = []

    def read():
        m = consumer.poll(1)
        got.extend([m.value()] if m and not m.error() else [])
        return len(got) == 8 and waits
    wait_until(read)
    consumer.close()


def test_addresses_that_connect_too_often(two):
    assert alter(two, {"ip": "127.0.0.1"}, {"connection_creation_rate": 1}) == 0
    host, port = two.at["PLAINTEXT"].split(":")
    sockets = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(15)]
    wait_until(lambda: "above connection_creation_rate" in two.log())
    for s in sockets:
        s.close()
