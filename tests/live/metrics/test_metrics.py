"""/metrics as Prometheus reads it: the official parser takes it, the families of the usual boards are there, and figures move."""
import os
import re
import urllib.request

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from weirproc import Weir, wait_until


@pytest.fixture
def weir():
    with Weir("--metrics-listen", "127.0.0.1:0,127.0.0.1:0") as w:
        yield w


def ports(weir):
    """Addresses of the metrics ports, from the banner."""
    return re.findall(r"^  Metrics  (http://\S+)$", open(os.path.join(weir.dir, "weir.out")).read(), re.M)


def scrape(url, openmetrics=False, host=None):
    request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain"})
    if host:
        request.add_header("Host", host)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text, kind = answer.read().decode(), answer.headers["Content-Type"]
    assert ("openmetrics" in kind) == openmetrics, kind
    names = re.findall(r"^# TYPE (\S+)", text, re.M)
    assert len(names) == len(set(names)), "a family appears twice"
    samples, families = {}, set()
    for family in (parse_openmetrics if openmetrics else parse_text)(text):
        families.add(family.name)
        for s in family.samples:
            key = (s.name, tuple(sorted(s.labels.items())))
            assert key not in samples, f"{key} twice"
            samples[key] = s.value
    return samples


def value(samples, name, **labels):
    return samples[(name, tuple(sorted(labels.items())))]


FAMILIES = """kafka_server_brokertopicmetrics_messagesin_total kafka_server_brokertopicmetrics_bytesin_total
    kafka_server_brokertopicmetrics_bytesout_total kafka_server_replicamanager_leadercount
    kafka_server_replicamanager_underreplicatedpartitions kafka_controller_kafkacontroller_activecontrollercount
    kafka_controller_kafkacontroller_offlinepartitionscount kafka_log_log_logendoffset kafka_cluster_partition_underminisr
    kafka_network_requestmetrics_requests_total kafka_network_requestmetrics_totaltimems
    kafka_network_socketserver_networkprocessoravgidle_percent kafka_server_socket_server_metrics_connection_count
    kafka_coordinator_group_groupmetadatamanager_numgroups kafka_server_kafkaserver_brokerstate kafka_brokers
    kafka_topic_partitions kafka_topic_partition_current_offset process_resident_memory_bytes process_cpu_seconds_total
    process_open_fds process_start_time_seconds jvm_memory_bytes_used node_cpu_seconds_total node_memory_MemAvailable_bytes
    node_load1 node_filesystem_avail_bytes node_network_receive_bytes_total container_cpu_usage_seconds_total
    container_memory_working_set_bytes""".split()


def test_families_in_both_forms(weir):
    producer = Producer({"bootstrap.servers": weir.bootstrap})
    producer.produce("t", b"v")
    assert producer.flush(10) == 0
    first, second = ports(weir)
    text = scrape(weir.web + "/metrics")
    scrape(second)
    same = scrape(first, openmetrics=True, host="host.docker.internal:7071")  # as a Prometheus in a container asks
    for name in FAMILIES:
        assert any(n == name for n, _ in text), name
        assert any(n == name for n, _ in same), name
    assert value(text, "kafka_controller_kafkacontroller_activecontrollercount") == 1
    assert value(text, "kafka_server_replicamanager_leadercount") == value(text, "kafka_controller_kafkacontroller_globalpartitioncount")


def test_figures_move(weir):
    producer = Producer({"bootstrap.servers": weir.bootstrap, "linger.ms": 20})
    for i in range(100):
        producer.produce("orders", b"x" * 100, partition=0)
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "board", "auto.offset.reset": "earliest",
                         "enable.auto.commit": False})
    consumer.subscribe(["orders"])
    wait_until(lambda: consumer.poll(0.2))
    consumer.commit(offsets=[TopicPartition("orders", 0, 40)], asynchronous=False)
    before = scrape(weir.web + "/metrics")
    where = {"topic": "orders", "partition": "0"}
    assert value(before, "kafka_topic_partition_current_offset", **where) == 100
    assert value(before, "kafka_log_log_logendoffset", **where) == 100
    assert value(before, "kafka_server_brokertopicmetrics_messagesin_total", topic="orders") == 100
    assert value(before, "kafka_server_brokertopicmetrics_bytesin_total", topic="orders") > 100 * 100
    assert value(before, "kafka_server_brokertopicmetrics_bytesout_total", topic="orders") > 0
    assert value(before, "kafka_consumergroup_current_offset", consumergroup="board", **where) == 40
    assert value(before, "kafka_consumergroup_lag", consumergroup="board", **where) == 60
    assert value(before, "kafka_consumergroup_lag_sum", consumergroup="board", topic="orders") == 60
    assert value(before, "kafka_consumergroup_members", consumergroup="board") == 1
    assert value(before, "kafka_coordinator_group_groupmetadatamanager_numgroupsstable") == 1
    for i in range(50):
        producer.produce("orders", b"y", partition=0)
    assert producer.flush(10) == 0
    consumer.commit(offsets=[TopicPartition("orders", 0, 150)], asynchronous=False)
    after = scrape(weir.web + "/metrics")
    assert value(after, "kafka_server_brokertopicmetrics_messagesin_total", topic="orders") == 150
    assert value(after, "kafka_server_brokertopicmetrics_messagesin_total") == 150
    assert value(after, "kafka_consumergroup_lag", consumergroup="board", **where) == 0
    version = [dict(labels)["version"] for (name, labels) in after if name == "kafka_network_requestmetrics_requests_total"
               and dict(labels)["request"] == "Produce"]
    assert version and value(after, "kafka_network_requestmetrics_totaltimems", request="Produce", quantile="0.99") > 0
    assert value(after, "kafka_network_requestmetrics_totaltimems_count", request="Produce") > value(
        before, "kafka_network_requestmetrics_totaltimems_count", request="Produce")

    def waiting(operation):
        return value(scrape(weir.web + "/metrics"), "kafka_server_delayedoperationpurgatory_purgatorysize", delayedoperation=operation)
    wait_until(lambda: waiting("Fetch") == 1)  # it has read all, and waits for more
    consumer.close()
    wait_until(lambda: waiting("Fetch") == waiting("Produce") == 0)
    gone = scrape(weir.web + "/metrics")
    assert value(gone, "kafka_consumergroup_members", consumergroup="board") == 0
    assert value(gone, "process_cpu_seconds_total") >= value(before, "process_cpu_seconds_total")


def test_a_stopped_broker_shows():
    with Weir("--lab-brokers", "3") as weir:
        weir.rest("POST", "/api/clusters/local/topics", {"name": "t", "partitions": 3, "replicationFactor": 3}, base=weir.web)
        assert weir.rest("POST", "/api/lab/brokers/2/stop", base=weir.web)[0] == 200
        samples = scrape(weir.web + "/metrics")
        assert value(samples, "kafka_brokers") == 2
        assert value(samples, "kafka_server_replicamanager_underreplicatedpartitions") == 3
        assert value(samples, "kafka_server_replicamanager_isrshrinks_total") == 3
        assert value(samples, "kafka_controller_kafkacontroller_fencedbrokercount") == 1
        assert value(samples, "kafka_topic_partition_in_sync_replica", topic="t", partition="0") == 2


def test_series_of_partitions_are_bounded():
    with Weir("--set", "metrics.partitions.max=10") as weir:
        weir.rest("POST", "/api/clusters/local/topics", {"name": "big", "partitions": 11, "replicationFactor": 1}, base=weir.web)
        samples = scrape(weir.web + "/metrics")
        assert value(samples, "kafka_topic_partitions", topic="big") == 11
        assert not any(name == "kafka_topic_partition_current_offset" for name, _ in samples)
