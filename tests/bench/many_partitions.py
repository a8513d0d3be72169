#!/usr/bin/env python3
"""many_partitions.py [TOPICS [PARTITIONS]]: what 1,000 topics of 10 partitions cost: starts after an orderly stop and after
kill -9 (with a few partitions written to), Metadata of everything, memory."""
import os
import re
import socket
import statistics
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from weirproc import Weir  # noqa: E402

TOPICS, PARTITIONS = int((sys.argv + ["1000"])[1]), int((sys.argv + ["", "10"])[2])


def metadata_ms(bootstrap):
    """One Metadata request (version 8) for all topics: (milliseconds, bytes)."""
    host, port = bootstrap.rsplit(":", 1)
    body = struct.pack(">hhih", 3, 8, 1, 5) + b"bench" + struct.pack(">ibbb", -1, 0, 0, 0)
    with socket.create_connection((host, int(port))) as s:
        began = time.perf_counter()
        s.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))[0]
        got = len(s.recv(size, socket.MSG_WAITALL))
        assert got == size
        return (time.perf_counter() - began) * 1000, size


def ready_ms(w):
    return int(re.search(r"ready in (\d+) ms", open(os.path.join(w.dir, "weir.out")).read())[1])


def again(w, **options):
    w.ports = dict.fromkeys(w.ports, 0)  # somebody else may have taken them
    w.start(timeout=120, **options)


def report(w, what):
    first, size = metadata_ms(w.bootstrap)
    later = statistics.median(metadata_ms(w.bootstrap)[0] for _ in range(9))
    rss = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{w.process.pid}/status").read())[1]) / 1024
    print(f"RESULT {what}: ready in {ready_ms(w)} ms; Metadata first {first:.1f} ms, then {later:.1f} ms ({size / 1e6:.2f} MB); Rss {rss:.0f} MB",
          flush=True)


with Weir("--set", "max.partitions=100000") as w:
    admin = AdminClient({"bootstrap.servers": w.bootstrap, "log_level": 0})
    began = time.perf_counter()
    for i in range(0, TOPICS, 100):
        for f in admin.create_topics([NewTopic(f"topic-{k:04}", PARTITIONS) for k in range(i, min(i + 100, TOPICS))]).values():
            f.result(120)
    print(f"RESULT created {TOPICS} topics of {PARTITIONS} partitions in {time.perf_counter() - began:.1f} s", flush=True)
    report(w, "fresh")
    p = Producer({"bootstrap.servers": w.bootstrap, "linger.ms": 5, "log_level": 0})
    for k in range(TOPICS):
        for n in range(PARTITIONS):
            while True:
                try:
                    p.produce(f"topic-{k:04}", b"v" * 100, partition=n)
                    break
                except BufferError:
                    p.poll(0.1)
    assert p.flush(240) == 0
    del p
    report(w, "written")
    began = time.perf_counter()
    w.stop(timeout=300)
    print(f"RESULT stopped in {time.perf_counter() - began:.1f} s", flush=True)
    again(w)
    report(w, "after a stop")
    w.kill()
    again(w)
    report(w, "after kill -9, nothing written")
    p = Producer({"bootstrap.servers": w.bootstrap, "log_level": 0})
    for k in range(20):
        p.produce(f"topic-{k:04}", b"w" * 100, partition=0)
    assert p.flush(60) == 0
    del p
    w.kill()
    again(w)
    report(w, "after kill -9, 20 partitions written to")
