"""Three brokers on one log (--lab-brokers 3): clients of several libraries see a cluster, and keep going while a broker
is stopped and started; what was acknowledged is there, once."""
import json
import os
import shutil
import subprocess
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, KafkaProducer
from kafka_io import read_all
from weirproc import BINARY, Weir, wait_until


@pytest.fixture
def weir():
    with Weir("--lab-brokers", "3") as w:
        yield w


def lab(weir, *words, status=0):
    done = subprocess.run([BINARY, "lab", "--web", weir.web, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def bootstrap(weir):
    """All three, as a course writes them."""
    brokers = weir.rest("GET", "/api/lab", base=weir.web)[1]["brokers"]
    return ",".join(f"127.0.0.1:{b['port']}" for b in brokers)


def create(weir, name, partitions=6, factor=3, **config):
    admin = AdminClient({"bootstrap.servers": bootstrap(weir)})
    config = {k.replace("_", "."): v for k, v in config.items()}
    for future in admin.create_topics([NewTopic(name, partitions, factor, config=config)], operation_timeout=10).values():
        future.result(20)
    return admin


def test_a_cluster_of_three(weir):
    admin = create(weir, "t")
    found = admin.list_topics(timeout=10)
    assert sorted(found.brokers) == [1, 2, 3] and len({b.port for b in found.brokers.values()}) == 3
    partitions = found.topics["t"].partitions.values()
    assert sorted(p.leader for p in partitions) == [1, 1, 2, 2, 3, 3]
    assert all(sorted(p.replicas) == sorted(p.isrs) == [1, 2, 3] and p.replicas[0] == p.leader for p in partitions)
    out = lab(weir, "stop-broker", "2")
    assert "stopped" in out and "6 under-replicated" in out
    found = AdminClient({"bootstrap.servers": bootstrap(weir)}).list_topics(timeout=10)
    assert sorted(found.brokers) == [1, 3]
    partitions = found.topics["t"].partitions.values()
    assert all(p.leader != 2 and sorted(p.isrs) == [1, 3] and sorted(p.replicas) == [1, 2, 3] for p in partitions)
    assert "runs already" in lab(weir, "start-broker", "1", status=3)
    assert "there is no broker 9" in lab(weir, "stop-broker", "9", status=2)
    assert "4 not led" not in lab(weir, "elect")  # of those that run
    out = lab(weir, "start-broker", "2")
    assert "0 under-replicated" in out
    lab(weir, "elect")
    found = AdminClient({"bootstrap.servers": bootstrap(weir)}).list_topics(timeout=10)
    assert sorted(p.leader for p in found.topics["t"].partitions.values()) == [1, 1, 2, 2, 3, 3]


def leaders(weir, topic="t"):
    found = AdminClient({"bootstrap.servers": bootstrap(weir)}).list_topics(timeout=10)
    return sorted(p.leader for p in found.topics[topic].partitions.values())


def test_leaders_come_back_by_themselves():
    with Weir("--lab-brokers", "3", "--set", "leader.imbalance.check.interval.seconds=1") as w:
        create(w, "t")
        lab(w, "stop-broker", "2")
        assert 2 not in leaders(w)
        lab(w, "start-broker", "2")
        wait_until(lambda: leaders(w) == [1, 1, 2, 2, 3, 3], 30)
    with Weir("--lab-brokers", "3", "--set", "leader.imbalance.check.interval.seconds=1",
              "--set", "auto.leader.rebalance.enable=false") as w:
        create(w, "t")
        lab(w, "stop-broker", "2")
        lab(w, "start-broker", "2")
        create(w, "later")
        wait_until(lambda: leaders(w, "later") == [1, 1, 2, 2, 3, 3], 30)
        assert 2 not in leaders(w)


def test_web_page_shows_them(weir):
    create(weir, "t")
    lab(weir, "stop-broker", "3")
    brokers = weir.rest("GET", "/api/clusters/local/brokers", base=weir.web)[1]
    assert [b["id"] for b in brokers] == [1, 2] and all(b["partitionsLeader"] == 3 for b in brokers)
    stats = weir.rest("GET", "/api/clusters/local/stats", base=weir.web)[1]
    assert stats["brokerCount"] == 2 and stats["underReplicatedPartitionCount"] == 6 and stats["outOfSyncReplicasCount"] == 6
    topic = weir.rest("GET", "/api/clusters/local/topics/t", base=weir.web)[1]
    assert topic["replicationFactor"] == 3 and topic["inSyncReplicas"] == 12 and topic["replicas"] == 18
    assert any(r == {"broker": 3, "leader": False, "inSync": False} for r in topic["partitions"][0]["replicas"])
    refused = weir.rest("POST", "/api/lab/brokers/3/start", headers={"Origin": "http://elsewhere.example"}, base=weir.web)
    assert refused[0] == 403
    assert weir.rest("GET", "/api/clusters", base=weir.web)[1][0]["status"] == "ONLINE"
    lab(weir, "stop-broker", "1")
    lab(weir, "stop-broker", "2")
    assert weir.rest("GET", "/api/clusters", base=weir.web)[1][0]["status"] == "OFFLINE"


def test_offline_partition_and_min_insync(weir):
    create(weir, "one", 3, 1)
    create(weir, "two", 1, 3, min_insync_replicas="2")
    found = AdminClient({"bootstrap.servers": bootstrap(weir)}).list_topics(timeout=10)
    gone = next(p.id for p in found.topics["one"].partitions.values() if p.leader == 3)
    lab(weir, "stop-broker", "3")
    partition = AdminClient({"bootstrap.servers": bootstrap(weir)}).list_topics(timeout=10).topics["one"].partitions[gone]
    assert partition.leader == -1 and partition.error.code() == KafkaError.LEADER_NOT_AVAILABLE
    result = []
    producer = Producer({"bootstrap.servers": bootstrap(weir), "acks": "all", "message.timeout.ms": 3000, "retry.backoff.ms": 50})
    producer.produce("two", b"enough", on_delivery=lambda e, m: result.append(e))
    producer.flush(10)
    assert result == [None]
    lab(weir, "stop-broker", "2")
    producer.produce("two", b"too few", on_delivery=lambda e, m: result.append(e))
    producer.flush(10)
    assert result[1] is not None
    lab(weir, "start-broker", "2")
    producer.produce("two", b"again", on_delivery=lambda e, m: result.append(e))
    producer.flush(10)
    assert result[2] is None
    lab(weir, "start-broker", "3")
    producer.produce("one", b"x", partition=gone, on_delivery=lambda e, m: result.append(e))
    producer.flush(10)
    assert result[3] is None


def roll(weir, done, pace):
    """Stops and starts one broker after the other, until told that it is enough."""
    k = 0
    while not done.is_set():
        broker = str(k % 3 + 1)
        lab(weir, "stop-broker", broker)
        done.wait(0.7 * pace)
        lab(weir, "start-broker", broker)
        done.wait(0.4 * pace)
        k += 1


def rolling(weir, work, pace=1):
    done = threading.Event()
    thread = threading.Thread(target=roll, args=(weir, done, pace))
    thread.start()
    try:
        work()
    finally:
        done.set()
        thread.join(30)


@pytest.mark.timeout(180)
def test_confluent_fails_over(weir):
    create(weir, "t")
    acked, failed, seen = [], [], set()
    producer = Producer({"bootstrap.servers": bootstrap(weir), "enable.idempotence": True, "linger.ms": 5, "retry.backoff.ms": 50,
                         "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200})
    consumer = Consumer({"bootstrap.servers": bootstrap(weir), "group.id": "g", "auto.offset.reset": "earliest",
                         "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "session.timeout.ms": 10000})
    consumer.subscribe(["t"])

    def delivered(error, message):
        (failed if error else acked).append(message.value())

    def work():
        for i in range(3000):
            producer.produce("t", str(i).encode(), key=str(i % 50).encode(), on_delivery=delivered)
            producer.poll(0)
            if i % 10 == 0:
                time.sleep(0.01)
            message = consumer.poll(0)
            if message and not message.error():
                seen.add(message.value())
        assert producer.flush(60) == 0

    rolling(weir, work)
    assert not failed and len(acked) == 3000
    until = time.monotonic() + 60
    while len(seen) < 3000 and time.monotonic() < until:
        message = consumer.poll(0.5)
        if message and not message.error():
            seen.add(message.value())
    consumer.close()
    assert seen == set(acked)
    values = [m.value() for m in read_all(bootstrap(weir), "t", 3000)]
    assert sorted(values) == sorted(acked)  # each once


@pytest.mark.timeout(180)
def test_kafka_python_fails_over(weir):
    create(weir, "t")
    servers = bootstrap(weir).split(",")
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", retries=1000, retry_backoff_ms=50, reconnect_backoff_ms=20,
                             reconnect_backoff_max_ms=200, linger_ms=5)
    futures = []

    for step in (None, ("stop-broker", "2"), ("start-broker", "2"), ("stop-broker", "3")):
        if step:
            lab(weir, *step)
        for i in range(250):
            futures.append(producer.send("t", str(len(futures)).encode(), key=str(i).encode()))
            time.sleep(0.002)
        producer.flush(60)  # kafka-python 3.0's sender may hang when a broker vanishes while it has batches for it
    lab(weir, "start-broker", "3")
    assert all(f.succeeded() for f in futures)
    producer.close()
    seen = set()
    consumer = KafkaConsumer("t", bootstrap_servers=servers, group_id="g", auto_offset_reset="earliest", consumer_timeout_ms=20000,
                             reconnect_backoff_ms=20, reconnect_backoff_max_ms=200)

    def read():
        for record in consumer:
            seen.add(record.value)
            if len(seen) == 1000:
                return

    rolling(weir, read)
    consumer.close()
    assert seen == {str(i).encode() for i in range(1000)}


def test_groups_are_spread(weir):
    create(weir, "t")
    for group in ("a", "b", "orders"):
        consumer = Consumer({"bootstrap.servers": bootstrap(weir), "group.id": group, "auto.offset.reset": "earliest"})
        consumer.subscribe(["t"])
        wait_until(lambda: consumer.poll(0.1) is None and len(consumer.assignment()) == 6)
        consumer.commit(offsets=[TopicPartition("t", 0, 0)], asynchronous=False)
        consumer.close()
    admin = AdminClient({"bootstrap.servers": bootstrap(weir)})
    listed = [g.group_id for g in admin.list_consumer_groups().result(20).valid]
    assert sorted(listed) == ["a", "b", "orders"]  # each by its coordinator, none twice
    described = admin.describe_consumer_groups(["a", "b", "orders"])
    coordinators = {name: future.result(20).coordinator.id for name, future in described.items()}
    leaders = {p["partition"]: p["leader"] for p in
               weir.rest("GET", "/api/clusters/local/topics/__consumer_offsets", base=weir.web)[1]["partitions"]}
    assert coordinators == {"a": leaders[97 % 50], "b": leaders[98 % 50], "orders": leaders[31]}  # Java's hash of the name


def test_state_over_restarts(weir):
    create(weir, "t", 3)
    lab(weir, "stop-broker", "1")
    before = json.dumps([[p["leader"], [r["broker"] for r in p["replicas"]]] for p in
                         weir.rest("GET", "/api/clusters/local/topics/t", base=weir.web)[1]["partitions"]])
    assert weir.stop() == 0
    weir.start()
    status = weir.rest("GET", "/api/lab", base=weir.web)[1]
    assert all(b["running"] for b in status["brokers"]) and status["underReplicated"] == 0  # all start again
    after = json.dumps([[p["leader"], [r["broker"] for r in p["replicas"]]] for p in
                        weir.rest("GET", "/api/clusters/local/topics/t", base=weir.web)[1]["partitions"]])
    assert after == before


def missing(what):
    if os.environ.get("STRICT") == "1":
        pytest.fail(f"{what} is not installed, and STRICT=1 asks for it")
    pytest.skip(f"{what} is not installed")


def tool(name):
    return shutil.which(name) or missing(name)


STACK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "..", "shared", "oracle", "stack.sh")


def java(weir, name, *arguments, stdin=None):
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")
    done = subprocess.run(["bash", STACK, "tool", name, "--bootstrap-server", bootstrap(weir), *arguments], input=stdin,
                          capture_output=True, text=True, timeout=120)
    return done.stdout


def test_kafkas_own_tools(weir):
    java(weir, "org.apache.kafka.tools.TopicCommand", "--create", "--topic", "m", "--replica-assignment", "2:3,3:1")
    lab(weir, "stop-broker", "2")
    out = java(weir, "org.apache.kafka.tools.TopicCommand", "--describe", "--topic", "m")
    assert "Partition: 0\tLeader: 3\tReplicas: 2,3\tIsr: 3\t" in out and "Partition: 1\tLeader: 3\tReplicas: 3,1\tIsr: 3,1\t" in out
    assert "PREFERRED" in java(weir, "org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--topic", "m",
                               "--partition", "0")  # could not be elected: it is stopped
    lab(weir, "start-broker", "2")
    out = java(weir, "org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
    assert "Successfully completed leader election (PREFERRED) for partitions m-0" in out
    plan = os.path.join(weir.dir, "plan.json")
    with open(plan, "w") as f:
        json.dump({"version": 1, "partitions": [{"topic": "m", "partition": 0, "replicas": [1, 2]}]}, f)
    command = ["org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--reassignment-json-file", plan]
    assert "Successfully started partition reassignment for m-0" in java(weir, *command, "--execute")
    assert "Reassignment of partition m-0 is completed." in java(weir, *command, "--verify")
    assert "Partition: 0\tLeader: 2\tReplicas: 1,2\tIsr: 1,2\t" in java(weir, "org.apache.kafka.tools.TopicCommand", "--describe",
                                                                        "--topic", "m")


def test_java_console_fails_over(weir):
    create(weir, "t")
    lines = [f"line {i}" for i in range(3000)]
    got = []

    def write():
        # by itself it gives a record up after three tries within a second
        java(weir, "org.apache.kafka.tools.ConsoleProducer", "--topic", "t", "--message-send-max-retries", "1000", "--retry-backoff-ms", "100",
             "--request-timeout-ms", "10000", stdin="".join(f"{s}\n" for s in lines))

    def read():
        got.extend(java(weir, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", "t", "--group", "g", "--from-beginning",
                        "--max-messages", "3000", "--timeout-ms", "40000").splitlines())

    rolling(weir, write)
    rolling(weir, read, 4)  # Java's consumer pauses up to a second before it connects again
    assert set(got) == set(lines)
    assert len(read_all(bootstrap(weir), "t", 3000)) == 3000  # each once


def test_kcat_reads_on(weir):
    create(weir, "t", 3)
    servers = bootstrap(weir)
    producer = Producer({"bootstrap.servers": servers})
    kcat = subprocess.Popen([tool("kcat"), "-b", servers, "-C", "-t", "t", "-o", "beginning", "-c", "300", "-q", "-u"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)

    def work():
        for i in range(300):
            producer.produce("t", str(i).encode())
            producer.poll(0)
            time.sleep(0.005)
        assert producer.flush(60) == 0
        out, _ = kcat.communicate(timeout=60)
        assert {int(line) for line in out.split()} == set(range(300))

    rolling(weir, work)
