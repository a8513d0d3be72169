"""How much memory streaming takes: 64 MB, and four times the largest row (short forms; tests/bench/capture.py has the long ones)."""
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
    with database(request.param, ["--max-allowed-packet=256M"]) as db:
        db.sql("SET GLOBAL max_allowed_packet = 268435456")
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
