#!/usr/bin/env python3
"""idle.py [CONNECTIONS]: resident memory of connections that have asked something once and wait."""
import os
import re
import resource
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from weirproc import Weir  # noqa: E402

count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
count = min(count, hard - 200)


def resident(pid):
    return int(re.search(r"^VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read(), re.M)[1])


def ask(s):
    s.sendall(struct.pack(">ihhih", 10, 18, 0, 7, -1))
    size, = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))
    s.recv(size, socket.MSG_WAITALL)


with Weir() as w:
    host, port = w.bootstrap.split(":")
    sockets = []
    for _ in range(100):  # what a first connection brings is not a connection's
        with socket.create_connection((host, int(port))) as s:
            ask(s)
    time.sleep(0.5)
    before = resident(w.process.pid)
    for _ in range(count):
        sockets.append(socket.create_connection((host, int(port))))
        ask(sockets[-1])
    after = resident(w.process.pid)
    print(f"RESULT {count} idle connections: {(after - before) / count:.2f} KB each ({before / 1024:.1f} MB before, {after / 1024:.1f} MB with them)")
    for s in sockets:
        s.close()
