"""Settings from Kafka's images and files: KAFKA_* variables, CLUSTER_ID, server.properties. weir starts on all of them."""
import os
import re
import subprocess

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from weirproc import BINARY, free_port, wait_until


class Started:
    """weir server with nothing but what the test gives, on a free port."""

    def __init__(self, tmp_path, environment, *options):
        self.port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CLUSTER_ID", "WEIR_"))}
        own = {k: v.replace("PORT", str(self.port)) for k, v in environment.items()}
        self.log_path = tmp_path / "log"
        self.process = subprocess.Popen([BINARY, "server", "--connect-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0", *options],
                                        env={**clean, "HOME": str(tmp_path), **own}, stdout=subprocess.PIPE, stderr=open(self.log_path, "w"), text=True,
                                        stdin=subprocess.DEVNULL)

    def __enter__(self):
        self.block = []
        for line in self.process.stdout:
            self.block.append(line)
            if line.startswith("  try"):
                break
        assert self.process.poll() is None, self.log()
        self.admin = AdminClient({"bootstrap.servers": f"localhost:{self.port}"})
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print(self.log())
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()

    def log(self):
        return open(self.log_path).read()

    def configs(self, node=1):
        resource = ConfigResource(ResourceType.BROKER, str(node))
        return self.admin.describe_configs([resource])[resource].result()


OFFICIAL = {
    "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@broker:29093",
    "KAFKA_LISTENERS": "PLAINTEXT://localhost:PORT,CONTROLLER://localhost:29093",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:PORT",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_NUM_PARTITIONS": "3",
    "KAFKA_LOG_RETENTION_HOURS": "24",
    "KAFKA_HEAP_OPTS": "-Xmx1g",
    "KAFKA_JMX_PORT": "9101",
}


def test_the_official_image(tmp_path):
    with Started(tmp_path, {**OFFICIAL, "KAFKA_LOG_DIRS": str(tmp_path / "volume")}) as w:
        meta = w.admin.list_topics(timeout=10)
        assert meta.cluster_id == OFFICIAL["CLUSTER_ID"]
        assert [(b.id, b.host, b.port) for b in meta.brokers.values()] == [(1, "localhost", w.port)]
        configs = w.configs()
        assert configs["num.partitions"].value == "3" and configs["log.retention.hours"].value == "24"
        assert (tmp_path / "volume" / "weir.db").exists()
        assert "ignored" not in w.log()


def test_zookeeper_times(tmp_path):
    with Started(tmp_path, {"KAFKA_BROKER_ID": "2", "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181", "KAFKA_ADVERTISED_HOST_NAME": "x",
                            "KAFKA_LISTENERS": "PLAINTEXT://localhost:PORT", "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false"}) as w:
        assert list(w.admin.list_topics(timeout=10).brokers) == [2]
        assert w.configs(2)["auto.create.topics.enable"].value == "false"
        lines = [line for line in w.log().splitlines() if "ignored" in line]
        assert len(lines) == 1 and "zookeeper.connect" in lines[0] and "advertised.host.name" in lines[0]


def test_bitnami(tmp_path):
    with Started(tmp_path, {"KAFKA_CFG_NODE_ID": "0", "KAFKA_CFG_PROCESS_ROLES": "controller,broker", "KAFKA_KRAFT_CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
                            "KAFKA_CFG_LISTENERS": "PLAINTEXT://localhost:PORT,CONTROLLER://:9093", "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
                            "KAFKA_CFG_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:PORT", "KAFKA_ENABLE_KRAFT": "yes",
                            "ALLOW_PLAINTEXT_LISTENER": "yes"}) as w:
        meta = w.admin.list_topics(timeout=10)
        assert list(meta.brokers) == [0] and meta.cluster_id == "4L6g3nShT-eMCtK--X86sw"


def test_variables_of_services_are_no_settings(tmp_path):
    """What Kubernetes and Docker links set for services that happen to be called kafka, connect and rest."""
    variables = {}
    for name, port in (("KAFKA", 9092), ("CONNECT", 8083), ("REST", 8083), ("KAFKA_UI", 8080)):
        variables.update({f"{name}_PORT": f"tcp://10.96.0.7:{port}", f"{name}_SERVICE_HOST": "10.96.0.7", f"{name}_SERVICE_PORT": str(port),
                          f"{name}_SERVICE_PORT_HTTP": str(port), f"{name}_PORT_{port}_TCP": f"tcp://10.96.0.7:{port}",
                          f"{name}_PORT_{port}_TCP_PROTO": "tcp", f"{name}_PORT_{port}_TCP_PORT": str(port),
                          f"{name}_PORT_{port}_TCP_ADDR": "10.96.0.7"})
    with Started(tmp_path, {**variables, "KAFKA_LISTENERS": "PLAINTEXT://localhost:PORT"}) as w:
        assert w.admin.list_topics(timeout=10).brokers
        assert "ignored" not in w.log() and "do not exist" not in w.log()


def test_only_advertised(tmp_path):
    with Started(tmp_path, {"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:PORT"}) as w:
        assert [b.port for b in w.admin.list_topics(timeout=10).brokers.values()] == [w.port]


def test_server_properties(tmp_path):
    """The file that Kafka is shipped with."""
    port = free_port()
    path = tmp_path / "server.properties"
    path.write_text(f"""
# comment
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://localhost:{port},CONTROLLER://localhost:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:{port},CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
log.dirs={tmp_path}/kraft-combined-logs
num.partitions=2
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
transaction.state.log.replication.factor=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
zookeeper.connection.timeout.ms=18000
my.plugin.setting=x
""")
    with Started(tmp_path, {}, "--config", str(path)) as w:
        w.port = port
        w.admin = AdminClient({"bootstrap.servers": f"localhost:{port}"})
        assert w.configs()["num.partitions"].value == "2"
        lines = [line for line in w.log().splitlines() if "ignored" in line]
        assert len(lines) == 1 and re.search(r"zookeeper\.connection\.timeout\.ms, my\.plugin\.setting$", lines[0])


@pytest.mark.parametrize("name, value", [("KAFKA_NUM_PARTITIONS", "many"), ("KAFKA_LISTENERS", "nonsense")])
def test_a_value_that_does_not_fit_is_named(tmp_path, name, value):
    done = subprocess.run([BINARY, "server", "--data-dir", str(tmp_path), "--connect-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"],
                          env={**os.environ, name: value}, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and value in done.stderr


def test_the_command_line_is_stronger(tmp_path):
    with Started(tmp_path, {**OFFICIAL, "WEIR_DATA_DIR": str(tmp_path / "own")}, "--set", "num.partitions=7") as w:
        assert w.configs()["num.partitions"].value == "7"
        wait_until(lambda: (tmp_path / "own" / "weir.db").exists())
