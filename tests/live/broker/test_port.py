"""The Kafka port itself: both loopback addresses, what is no Kafka client, many connections, the sync tier."""
import resource
import socket
import struct
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from weirproc import Weir, wait_until

API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 7, -1)


def port_of(weir):
    return int(weir.bootstrap.rsplit(":", 1)[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_loopback_addresses(weir, host):
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    with socket.create_connection((host, port_of(weir)), 5) as s:
        s.sendall(API_VERSIONS)
        size, correlation = struct.unpack(">ii", s.recv(8))
        assert correlation == 7 and size > 100


@pytest.mark.parametrize("bytes_sent,words", [(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP request"), (b"\x16\x03\x01\x02\x00\x01", "TLS handshake"),
                                              (b"\x7f\xff\xff\xff", "socket.request.max.bytes")])
def test_what_is_no_kafka_client(weir, bytes_sent, words):
    with socket.create_connection(("127.0.0.1", port_of(weir)), 5) as s:
        s.sendall(bytes_sent)
        assert s.recv(1) == b""
    wait_until(lambda: words in weir.log(), 5)


def test_a_size_alone_takes_no_memory(weir):
    """A header that announces 100 MB costs what arrives, not what it says."""
    def rss():
        return int(next(line for line in open(f"/proc/{weir.process.pid}/status") if line.startswith("VmRSS")).split()[1])
    before = rss()
    sockets = [socket.create_connection(("127.0.0.1", port_of(weir)), 5) for _ in range(50)]
    for s in sockets:
        s.sendall(struct.pack(">i", 104857600) + b"x" * 100)
    time.sleep(0.3)
    assert rss() - before < 8000, "KB"
    for s in sockets:
        s.close()


def test_idle_connections_are_cheap(weir):
    count = min(2000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    def rss():
        return int(next(line for line in open(f"/proc/{weir.process.pid}/status") if line.startswith("VmRSS")).split()[1])
    before = rss()
    sockets = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port_of(weir)), 5)
        s.sendall(API_VERSIONS)
        sockets.append(s)
    for s in sockets:
        assert struct.unpack(">ii", s.recv(8))[1] == 7
    each = (rss() - before) * 1024 / count
    for s in sockets:
        s.close()
    assert each < 6 * 1024, f"{each:.0f} bytes a connection"


def test_durability_sync():
    with Weir("--set", "durability=sync") as weir:
        p = Producer({"bootstrap.servers": weir.bootstrap, "acks": "all"})
        for i in range(1000):
            p.produce("t", str(i))
            if i % 100 == 0:
                p.flush(10)
        assert p.flush(20) == 0
        c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "g"})
        assert c.get_watermark_offsets(TopicPartition("t", 0), timeout=10) == (0, 1000)
        c.close()


def test_a_taken_port_is_named(weir):
    second = Weir()
    second.ports["kafka"] = port_of(weir)
    with pytest.raises(AssertionError):
        second.start(timeout=10)
    assert second.process.returncode not in (0, None)
