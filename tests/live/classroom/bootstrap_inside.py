"""Runs within a network namespace whose hosts file names the courses' brokers. Arguments: the weir program, a directory.
Prints OK at the end. Started by test_bootstrap_lists.py."""
import subprocess
import sys
import time

from confluent_kafka.admin import AdminClient
from kafka_io import producer, read_all

weir, directory = sys.argv[1:3]
# As the notes write them (000: host names with one port; 003; 004: within and without the network).
LISTS = {"broker-1:19092, broker-2:19092, broker-3:19092": 19092, "kafka-0:9092": 9092, "localhost:9094": 9092,
         "kafka1:29092,kafka2:29093,kafka3:29094": 29092, "localhost:9092,localhost:9093,localhost:9094": 9092}


def main():
    with open(f"{directory}/weir.log", "wb") as log:
        process = subprocess.Popen([weir, "server", "--data-dir", f"{directory}/weir", "--lab-brokers", "3"], stdout=subprocess.PIPE, stderr=log)
    try:
        process.stdout.readline()
        for n, (bootstrap, port) in enumerate(LISTS.items()):
            found = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20).brokers
            assert {b.id: (b.host, b.port) for b in found.values()} == {k + 1: ("localhost", port + k) for k in range(3)}, (bootstrap, found)
            p = producer(bootstrap)
            p.produce("t", f"{n}".encode())
            assert p.flush(20) == 0
            assert len(read_all(bootstrap, "t", n + 1)) == n + 1
        subprocess.run([weir, "lab", "stop-broker", "2"], check=True, stdout=subprocess.DEVNULL)
        for bootstrap, port in LISTS.items():
            until, found = time.monotonic() + 20, None
            while time.monotonic() < until and found != {1, 3}:
                found = {b.id for b in AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20).brokers.values()}
            assert found == {1, 3}, (bootstrap, found)
        print("OK")
    finally:
        process.terminate()
        process.wait(20)


main()
