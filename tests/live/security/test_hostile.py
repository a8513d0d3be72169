"""Clients that mean no good: memory stays bounded, others are served, limits hold. SPEC: broker 1.1"""
import re
import socket
import struct

import pytest
from secure import Certificates, SecureWeir
from weirproc import Weir, wait_until


def rss_mb(w, what="VmRSS"):
    return int(re.search(rf"^{what}:\s+(\d+)", open(f"/proc/{w.process.pid}/status").read(), re.M)[1]) / 1024


def connect(w, address=None):
    host, port = (address or w.bootstrap).split(":")
    return socket.create_connection((host.replace("localhost", "127.0.0.1"), int(port)), timeout=20)


def header(key, version, size):
    return struct.pack(">ihhih", size, key, version, 1, -1)


def metadata_answers(w, address=None):
    """A well-meaning client beside the others."""
    with connect(w, address) as s:
        s.sendall(header(3, 1, 14) + struct.pack(">i", 0))
        size, = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))
        return len(s.recv(size, socket.MSG_WAITALL)) == size


def send(s, data):
    """As much as the other side takes; that it closes is no surprise."""
    try:
        s.sendall(data)
    except OSError:
        pass


LIMIT_MB = 64


def test_a_thousand_hostile_connections():
    """Half a header and silence, frames that are too large, negative sizes, large frames that never come, counts that lie, and
    arrays of nothing: below 64 MB at every moment."""
    amplified = b"".join([header(3, 1, 10 + 4 + 2 * 20000), struct.pack(">i", 20000), b"\0\0" * 20000])  # 20,000 empty names
    kinds = [
        b"\0\0\0",
        b"\0\0\0\x20\0\x03",
        struct.pack(">i", 104857601) + b"x" * 1000,
        struct.pack(">i", -1) + b"x" * 1000,
        header(0, 9, 104857600) + b"x" * 20000,
        header(3, 1, 14) + struct.pack(">i", 2147483647),
        header(1, 4, 60) + struct.pack(">iiiibi", -1, 0, 0, 1000, 0, 1 << 30) + b"\0" * 29,
        amplified,
        header(3, 9, 20) + b"\0" + b"\xff\xff\xff\xff\x0f" + b"\0" * 4,
        b"\xff" * 64,
    ]
    with Weir() as w:
        assert metadata_answers(w)
        sockets = []
        for i in range(1000):
            s = connect(w)
            sockets.append(s)
            send(s, kinds[i % len(kinds)])
        assert metadata_answers(w)
        assert rss_mb(w, "VmHWM") < LIMIT_MB, (rss_mb(w), rss_mb(w, "VmHWM"))
        for s in sockets:
            s.close()
        wait_until(lambda: open_connections(w) <= 1)
        assert metadata_answers(w)


def open_connections(w):
    text = w.rest("GET", "/metrics", base=w.web)[1]
    return int(re.search(r"^weir_kafka_connections (\d+)", text, re.M)[1])


def test_many_names_cost_no_square():
    """A request of 400,000 names is answered while others are served."""
    with Weir("--set", "auto.create.topics.enable=false") as w, connect(w) as s:
        n = 400_000
        body = struct.pack(">i", n) + b"".join(struct.pack(">h", 7) + b"%07d" % i for i in range(n))
        s.settimeout(60)
        s.sendall(header(3, 1, 10 + len(body)) + body)
        size, = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))
        assert size > n * 9


def test_connections_are_counted():
    with Weir("--set", "max.connections.per.ip=20", "--set", "max.connections.per.ip.overrides=127.0.0.9:3") as w:
        mine = [connect(w) for _ in range(20)]
        wait_until(lambda: open_connections(w) == 20)
        with connect(w) as s:
            assert s.recv(1) == b""
        host, port = w.bootstrap.split(":")
        others = []
        for _ in range(3):
            others.append(socket.create_connection((host, int(port)), source_address=("127.0.0.9", 0)))
        with socket.create_connection((host, int(port)), source_address=("127.0.0.9", 0)) as s:
            s.settimeout(20)
            assert s.recv(1) == b""
        for s in mine + others:
            s.close()
        wait_until(lambda: open_connections(w) == 0)
        assert metadata_answers(w)
    with Weir("--set", "max.connections=5") as w:
        mine = [connect(w) for _ in range(5)]
        wait_until(lambda: open_connections(w) == 5)
        with connect(w) as s:
            assert s.recv(1) == b""
        for s in mine:
            s.close()
    with Weir("--set", "max.connection.creation.rate=3") as w:  # they wait, and all get in
        waiting = [connect(w) for _ in range(9)]
        wait_until(lambda: open_connections(w) == 9)
        assert w.log().count("connections wait: more than max.connection.creation.rate=3 a second") == 1
        for s in waiting:
            s.close()


def test_handshakes_that_never_end(tmp_path):
    """Two thousand half TLS handshakes: the oldest make room, memory stays, and who means it gets in."""
    import ssl
    certs = Certificates(tmp_path)
    with SecureWeir({"TLS": "SSL"}, {"ssl.keystore.location": certs.path("server.pem"), "broker.loops": "1"}) as w:
        context = ssl.create_default_context(cafile=certs.path("ca.pem"))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        half = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            half.do_handshake()
        hello = outgoing.read()
        sockets = []
        for _ in range(2000):
            s = connect(w, w.at["TLS"])
            send(s, hello)
            sockets.append(s)
        with connect(w, w.at["TLS"]) as plain, context.wrap_socket(plain, server_hostname="localhost") as s:
            s.sendall(header(3, 1, 14) + struct.pack(">i", 0))
            assert len(s.recv(8)) == 8
        assert "too many others are in their handshake" in w.log() or open_connections(w) <= 513
        assert rss_mb(w, "VmHWM") < 128
        for s in sockets:
            s.close()
