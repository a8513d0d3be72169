"""How much memory streaming takes: 64 MB, and four times the largest row (short forms; tests/bench/capture.py has the long ones)."""
import os

import pytest

from databases import database
from kafka_io import read_all
from weirproc import Weir, wait_until

MB = 1 << 20
ROW = 24 * MB
BASE = 64 * MB


def forget_peak(weir):
    with open(f"/proc/{weir.process.pid}/clear_refs", "w") as f:
        f.write("5")


def peak(weir):
    return next(int(line.split()[1]) * 1024 for line in open(f"/proc/{weir.process.pid}/status") if line.startswith("VmHWM"))


def resident(weir):
    return next(int(line.split()[1]) * 1024 for line in open(f"/proc/{weir.process.pid}/status") if line.startswith("VmRSS"))


def given_back(weir):
    wait_until(lambda: resident(weir) <= BASE, 20)
    print(f"{resident(weir) / MB:.0f} MB afterwards")


def arrived(weir, topic, count):
    """Until the topic has so many records, counted without reading them."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    consumer = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "peak", "topic.metadata.refresh.interval.ms": 200})

    def enough():
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10, cached=False)[1] >= count
        except KafkaException:  # not made yet
            return False
    try:
        wait_until(enough, 120, 0.1)
    finally:
        consumer.close()


@pytest.fixture(params=["mariadb", "mysql"], scope="module")
def roomy(request):
    with database(request.param, ["--max-allowed-packet=1G"]) as db:
        db.sql("SET GLOBAL max_allowed_packet = 1073741824")
        yield db


TRANSFORM = {"transforms": "t", "transforms.t.type": "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.t.static.field": "x",
             "transforms.t.static.value": "y"}


@pytest.mark.parametrize("way", ["plain", "transformed"])
def test_large_rows(roomy, way):
    """Insert, update and delete of texts and bytes; on MySQL over TLS."""
    name = f"large{way}"
    roomy.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4;\nCREATE TABLE {name}.t (id INT PRIMARY KEY, v LONGTEXT, b LONGBLOB)")
    with Weir() as weir:
        weir.create_connector(name, {**roomy.connector(name, database_include_list=name), **(TRANSFORM if way == "transformed" else {})})
        weir.wait_running(name)
        wait_until(lambda: "Connected to binlog" in weir.log())
        roomy.sql(f"INSERT INTO {name}.t VALUES (0, 'a', 'b')")
        arrived(weir, f"{name}.{name}.t", 1)
        forget_peak(weir)
        roomy.sql(f"INSERT INTO {name}.t VALUES (1, REPEAT('a', {ROW}), NULL)")
        roomy.sql(f"INSERT INTO {name}.t VALUES (2, NULL, REPEAT('b', {ROW}))")
        roomy.sql(f"DELETE FROM {name}.t WHERE id = 1;\nINSERT INTO {name}.t VALUES (3, REPEAT('\"', {ROW // 2}), NULL)")
        arrived(weir, f"{name}.{name}.t", 6)
        took = peak(weir)
        print(f"{roomy.kind}, {way}: {took / MB:.0f} MB with rows of {ROW / MB:.0f} MB")
        assert took <= BASE + 4 * ROW
        lengths = [len(m.value() or b"") for m in read_all(weir.bootstrap, f"{name}.{name}.t", 6, 60)]
        assert lengths[1] > ROW and lengths[2] > ROW * 4 // 3 and lengths[3] > ROW and lengths[4] == 0 and lengths[5] > ROW


def test_a_large_transaction_of_small_rows(roomy):
    rows = 300000
    roomy.sql("CREATE DATABASE many;\nCREATE TABLE many.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200), n INT)")
    with Weir() as weir:
        weir.create_connector("many", roomy.connector("many", database_include_list="many"))
        weir.wait_running("many")
        wait_until(lambda: "Connected to binlog" in weir.log())
        with roomy.client("many") as c, c.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            for _ in range(rows // 1000):
                cursor.execute("INSERT INTO t (v, n) VALUES " + ",".join(["(REPEAT('v', 180), 7)"] * 1000))
            arrived_before = peak(weir)
            forget_peak(weir)
            cursor.execute("COMMIT")
        arrived(weir, "many.many.t", rows)
        took = peak(weir)
        print(f"{roomy.kind}: {took / MB:.0f} MB with a transaction of {rows} rows ({arrived_before / MB:.0f} MB before)")
        assert took <= BASE


@pytest.mark.parametrize("compress", ["OFF", "ON"])
def test_nothing_stays_of_a_large_row(roomy, compress):
    """As it comes, and as a compressed event; on MySQL over TLS."""
    name, row = f"stays{compress.lower()}", 80 * MB
    roomy.sql(f"CREATE DATABASE {name};\nCREATE TABLE {name}.t (id INT PRIMARY KEY, v LONGTEXT)")
    try:
        if roomy.kind == "mariadb":
            roomy.sql(f"SET GLOBAL log_bin_compress = {compress}")
        with Weir() as weir, roomy.client(name) as c, c.cursor() as cursor:
            weir.create_connector(name, roomy.connector(name, database_include_list=name))
            weir.wait_running(name)
            wait_until(lambda: "Connected to binlog" in weir.log())
            forget_peak(weir)
            if roomy.kind == "mysql":
                cursor.execute(f"SET SESSION binlog_transaction_compression = {compress}")
            cursor.execute(f"INSERT INTO t VALUES (1, REPEAT('a', {row}))")
            arrived(weir, f"{name}.{name}.t", 1)
            took = peak(weir)
            print(f"{roomy.kind}, compression {compress}: {took / MB:.0f} MB with a row of {row / MB:.0f} MB")
            assert took <= BASE + 4 * row
            given_back(weir)
    finally:
        if roomy.kind == "mariadb":
            roomy.sql("SET GLOBAL log_bin_compress = OFF")


@pytest.mark.parametrize("roomy", ["mysql"], indirect=True)
@pytest.mark.parametrize("ssl", ["preferred", "disabled"])
@pytest.mark.parametrize("value", ["RANDOM_BYTES(200)", "REPEAT('v', 200)"], ids=["dense", "thin"])
def test_a_large_compressed_transaction(roomy, ssl, value):
    """MySQL's TRANSACTION_PAYLOAD is read as it is decompressed: what counts is the size of the payload, of one event of it."""
    rows, name = int(os.environ.get("PAYLOAD_ROWS", "400000")), f"payload{ssl}{'dense' if 'RANDOM' in value else 'thin'}"
    roomy.sql(f"CREATE DATABASE {name};\nCREATE TABLE {name}.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARBINARY(200), n INT)")
    with Weir() as weir:
        weir.create_connector(name, roomy.connector(name, database_include_list=name, database_ssl_mode=ssl))
        weir.wait_running(name)
        wait_until(lambda: "Connected to binlog" in weir.log())

        def logged():
            return sum(int(row[1]) for row in roomy.sql("SHOW BINARY LOGS"))
        with roomy.client(name) as c, c.cursor() as cursor:
            cursor.execute("SET SESSION binlog_transaction_compression = ON")
            cursor.execute("START TRANSACTION")
            for _ in range(rows // 2000):
                cursor.execute("INSERT INTO t (v, n) VALUES " + ",".join([f"({value}, 7)"] * 2000))
            before = logged()
            forget_peak(weir)
            cursor.execute("COMMIT")
        payload = logged() - before
        arrived(weir, f"{name}.{name}.t", rows)
        took = peak(weir)
        print(f"TLS {ssl}: {took / MB:.0f} MB with a payload of {payload / MB:.1f} MB")
        assert (payload > rows * 100) == ("RANDOM" in value)  # it is compressed
        assert took <= BASE + 4 * payload
        given_back(weir)
