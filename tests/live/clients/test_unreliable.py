"""Clients behind a network that loses answers and cuts connections, and a broker that is killed under them: an idempotent
producer's records arrive once and in order, and no delivery fails."""
import asyncio
import os
import threading
import time

import pytest
from clienttools import missing

from kafka_io import read_all
from proxy import Proxy, unreliable
from weirproc import Weir, free_port

try:
    from confluent_kafka import Producer
except ImportError:
    Producer = None

PARTITIONS, COUNT = 3, 3000


def through(proxy, *options):
    """A weir whose clients are told the proxy's address."""
    weir = Weir("--set", f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxy.port}", "--set", f"num.partitions={PARTITIONS}", *options)
    port = weir.ports["kafka"] = free_port()  # what it prints is the advertised address
    weir.start()
    weir.bootstrap, weir.ports["kafka"] = f"127.0.0.1:{port}", port
    proxy.target = ("127.0.0.1", port)
    return weir


def create_topic(weir):
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": weir.bootstrap})
    admin.create_topics([NewTopic("t", PARTITIONS, 1)])["t"].result(10)


def check_once_in_order(weir, count):
    """Value i went to partition i % PARTITIONS."""
    stored = [(m.partition(), int(m.value().split()[0])) for m in read_all(weir.bootstrap, "t", timeout=60)]
    for p in range(PARTITIONS):
        assert [v for q, v in stored if q == p] == list(range(p, count, PARTITIONS)), f"partition {p}: lost, doubled or out of order"


def confluent(address, count, pace=0):
    errors = []
    p = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 2, "batch.num.messages": 20,
                  "reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 5, "message.timeout.ms": 120000})
    for i in range(count):
        while True:
            try:
                p.produce("t", b"%d %s" % (i, b"x" * 200), partition=i % PARTITIONS,
                          on_delivery=lambda e, m: errors.append(e) if e else None)
                break
            except BufferError:
                p.poll(0.05)
        p.poll(0)
        if pace and i % 100 == 0:
            time.sleep(pace)
    left = p.flush(120)
    assert (left, errors) == (0, []), (left, errors[:5])


def aiokafka(address, count):
    try:
        from aiokafka import AIOKafkaProducer
    except ImportError:
        missing("aiokafka")

    async def run():
        p = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True, max_batch_size=5000, retry_backoff_ms=10)
        await p.start()
        sent = [await p.send("t", b"%d %s" % (i, b"x" * 200), partition=i % PARTITIONS) for i in range(count)]
        await asyncio.wait_for(asyncio.gather(*sent), 120)
        await p.stop()
    asyncio.run(run())


def kafka_python(address, count):
    try:
        from kafka import KafkaProducer
    except ImportError:
        missing("kafka-python")
    p = KafkaProducer(bootstrap_servers=address, enable_idempotence=True, batch_size=5000, retry_backoff_ms=10, reconnect_backoff_ms=5,
                      reconnect_backoff_max_ms=100, retries=1000, delivery_timeout_ms=120000)
    sent = [p.send("t", b"%d %s" % (i, b"x" * 200), partition=i % PARTITIONS) for i in range(count)]
    for s in sent:
        s.get(120)
    p.close()


@pytest.mark.parametrize("client, count", [(confluent, COUNT), (aiokafka, COUNT), (kafka_python, COUNT)],
                         ids=["confluent", "aiokafka", "kafka-python"])
def test_lost_answers(client, count):
    if client is confluent and Producer is None:
        missing("confluent-kafka")
    with Proxy() as proxy:
        weir = through(proxy)
        with_log(weir, lambda: lost_answers(proxy, weir, client, count))


def with_log(weir, run):
    try:
        run()
    except BaseException:
        print(weir.log()[-8000:])
        raise
    finally:
        weir.__exit__(None, None, None)


def lost_answers(proxy, weir, client, count):
    create_topic(weir)
    proxy.rules = unreliable(int(os.environ.get("SEED", "7")))
    client(f"127.0.0.1:{proxy.port}", count)
    proxy.rules = lambda kind, key: "pass"
    assert proxy.cuts >= 5, "the proxy lost next to nothing: the test shows nothing"
    check_once_in_order(weir, count)


@pytest.mark.skipif(Producer is None and os.environ.get("STRICT") != "1", reason="confluent-kafka is not installed")
def test_killed_under_an_idempotent_producer(weir):
    """kill -9 a few times while a producer goes on: what it sends again after the restart is known, or new."""
    failed = []

    def produce():
        try:
            confluent(weir.bootstrap, 6000, pace=0.04)
        except BaseException as e:
            failed.append(e)
    create_topic(weir)
    worker = threading.Thread(target=produce)
    worker.start()
    for _ in range(4):
        time.sleep(0.4)
        weir.kill()
        weir.start()
    worker.join()
    assert not failed, failed
    check_once_in_order(weir, 6000)


@pytest.mark.skipif(Producer is None and os.environ.get("STRICT") != "1", reason="confluent-kafka is not installed")
@pytest.mark.parametrize("acks, options", [("all", []), ("1", []), ("0", []), ("all", ["--set", "durability=sync"])],
                         ids=["acks-all", "acks-1", "acks-0", "sync"])
def test_large_messages_with_many_in_flight(acks, options):
    """Messages of a megabyte, the client's own batches and as many requests in flight as it likes: bytes of the next requests
    fill every buffer while one is appended, and nothing may stall."""
    with Weir("--set", "message.max.bytes=4000000", *options) as weir:
        p = Producer({"bootstrap.servers": weir.bootstrap, "acks": acks, "message.max.bytes": 4000000, "queue.buffering.max.kbytes": 400000,
                      "message.timeout.ms": 60000})
        errors, value = [], os.urandom(1000000)
        for i in range(150):
            p.produce("t", value, key=str(i), on_delivery=lambda e, m: errors.append(e) if e else None)
            p.poll(0)
        left = p.flush(60)
        assert (left, errors) == (0, []), (left, errors[:3])
        stored = read_all(weir.bootstrap, "t", count=150, timeout=60)
        assert [int(m.key()) for m in stored] == list(range(150))
        assert all(m.value() == value for m in stored)


def test_a_network_that_trickles():
    """Requests and answers in small pieces, from several connections at once."""
    with Proxy() as proxy:
        proxy.chunk = 700
        weir = through(proxy)

        def run():
            address = f"127.0.0.1:{proxy.port}"
            p = Producer({"bootstrap.servers": address, "linger.ms": 5})
            for i in range(600):
                p.produce("t", b"%d %s" % (i, b"y" * 3000), partition=i % PARTITIONS)
            assert p.flush(60) == 0
            assert len(read_all(address, "t", timeout=60)) == 600
        with_log(weir, run)
