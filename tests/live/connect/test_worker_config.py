"""Settings of a Connect worker as people bring them: connect-distributed.properties, CONNECT_* variables of Confluent's image, the short
names of Debezium's."""
import json
import os
import subprocess
import urllib.request

from weirproc import BINARY, free_port

# Of Confluent's compose files.
CONFLUENT = {
    "CONNECT_BOOTSTRAP_SERVERS": "broker:29092",
    "CONNECT_GROUP_ID": "compose-connect-group",
    "CONNECT_CONFIG_STORAGE_TOPIC": "docker-connect-configs",
    "CONNECT_CONFIG_STORAGE_REPLICATION_FACTOR": "1",
    "CONNECT_OFFSET_FLUSH_INTERVAL_MS": "10000",
    "CONNECT_OFFSET_STORAGE_TOPIC": "docker-connect-offsets",
    "CONNECT_STATUS_STORAGE_TOPIC": "docker-connect-status",
    "CONNECT_KEY_CONVERTER": "org.apache.kafka.connect.storage.StringConverter",
    "CONNECT_VALUE_CONVERTER": "org.apache.kafka.connect.json.JsonConverter",
    "CONNECT_VALUE_CONVERTER_SCHEMAS_ENABLE": "false",
    "CONNECT_REST_ADVERTISED_HOST_NAME": "connect",
    "CONNECT_PLUGIN_PATH": "/usr/share/java,/usr/share/confluent-hub-components",
    "CONNECT_LOG4J_LOGGERS": "org.reflections=ERROR",
    "CONNECT_CONFIG_PROVIDERS": "file",
    "CONNECT_CONFIG_PROVIDERS_FILE_CLASS": "org.apache.kafka.common.config.provider.FileConfigProvider",
    "CONNECT_PRODUCER_INTERCEPTOR_CLASSES": "x.Y",
    "CONNECT_CUB_KAFKA_TIMEOUT": "60",
    "CONNECT_CONFLUENT_TOPIC_REPLICATION_FACTOR": "1",
}
DEBEZIUM = {"BOOTSTRAP_SERVERS": "kafka:9092", "GROUP_ID": "1", "CONFIG_STORAGE_TOPIC": "my_connect_configs", "OFFSET_STORAGE_TOPIC": "my_connect_offsets",
            "STATUS_STORAGE_TOPIC": "my_connect_statuses", "VALUE_CONVERTER": "org.apache.kafka.connect.storage.StringConverter", "REST_HOST_NAME": "127.0.0.1"}


class Started:
    """weir server with nothing but what the test gives; `port` is where its REST API must be."""

    def __init__(self, tmp_path, environment, *options):
        self.port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CONNECT_", "WEIR_"))}
        own = {k: v.replace("PORT", str(self.port)) for k, v in environment.items()}
        self.log_path = tmp_path / "log"
        self.process = subprocess.Popen([BINARY, "server", "--data-dir", str(tmp_path / "data"), "--kafka-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0",
                                         *[o.replace("PORT", str(self.port)) for o in options]],
                                        env={**clean, "HOME": str(tmp_path), **own}, stdout=subprocess.PIPE, stderr=open(self.log_path, "w"), text=True,
                                        stdin=subprocess.DEVNULL)

    def __enter__(self):
        for line in self.process.stdout:
            if line.startswith("  try"):
                break
        assert self.process.poll() is None, self.log()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print(self.log())
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()

    def log(self):
        return open(self.log_path).read()

    def ask(self, path, method="GET", body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode() if body else None,
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def defaults(self, *keys):
        answer = self.ask("/connector-plugins/FileStreamSource/config/validate", "PUT", {"connector.class": "FileStreamSource", "name": "x", "topic": "t"})
        values = {c["value"]["name"]: c["value"]["value"] for c in answer["configs"]}
        return [values[k] for k in keys]


def one_line(log, word):
    lines = [line for line in log.splitlines() if word in line]
    assert len(lines) == 1, lines
    return lines[0]


def test_confluent_variables(tmp_path):
    with Started(tmp_path, {**CONFLUENT, "CONNECT_LISTENERS": "http://127.0.0.1:PORT"}) as w:
        assert w.defaults("key.converter", "value.converter") == [CONFLUENT["CONNECT_KEY_CONVERTER"], CONFLUENT["CONNECT_VALUE_CONVERTER"]]
        w.ask("/connectors/a/config", "PUT", {"connector.class": "FileStreamSource", "topic": "t"})
        assert w.ask("/connectors/a/status")["connector"]["worker_id"] == f"connect:{w.port}"
        assert one_line(w.log(), "ignored").endswith("are ignored: confluent.topic.replication.factor")
        assert "broker:29092" in one_line(w.log(), "bootstrap.servers")


def test_debezium_variables(tmp_path):
    with Started(tmp_path, {**DEBEZIUM, "REST_PORT": "PORT"}) as w:
        assert w.defaults("value.converter") == [DEBEZIUM["VALUE_CONVERTER"]]
        assert "ignored" not in w.log()


def test_connect_distributed_properties(tmp_path):
    """The file that Kafka is shipped with, its names the worker's and not the broker's."""
    path = tmp_path / "connect-distributed.properties"
    port = free_port()
    path.write_text(f"""
# comment
bootstrap.servers=localhost:9092
group.id=connect-cluster
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
key.converter.schemas.enable=true
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
config.storage.topic=connect-configs
config.storage.replication.factor=1
status.storage.topic=connect-status
status.storage.replication.factor=1
offset.flush.interval.ms=10000
listeners=https://127.0.0.1:1,http://127.0.0.1:{port}
plugin.path=/usr/local/share/java
consumer.max.poll.records=10
my.plugin.setting=x
num.partitions=7
""")
    with Started(tmp_path, {"CONNECT_GROUP_ID": "stronger"}, "--connect-config", str(path)) as w:
        w.port = port
        assert w.defaults("value.converter") == ["org.apache.kafka.connect.storage.StringConverter"]
        assert one_line(w.log(), "ignored").endswith("are ignored: my.plugin.setting, num.partitions")
        # This weir has another port.
        assert "bootstrap.servers names localhost:9092: " in one_line(w.log(), "bootstrap.servers")


def test_references_in_the_workers_own_settings(tmp_path):
    """${file:...} and the like, of the providers that the same file names; a value that does not fit is told as it was given."""
    (tmp_path / "secrets.properties").write_text("converter=org.apache.kafka.connect.storage.StringConverter\nwrong=hunter2\n")
    path, port = tmp_path / "connect-distributed.properties", free_port()
    path.write_text(f"""config.providers=vault
config.providers.vault.class=org.apache.kafka.common.config.provider.FileConfigProvider
config.providers.vault.param.allowed.paths={tmp_path}
value.converter=${{vault:{tmp_path}/secrets.properties:converter}}
listeners=http://127.0.0.1:${{env:REST_AT}}
""")
    with Started(tmp_path, {"REST_AT": str(port)}, "--connect-config", str(path)) as w:
        w.port = port
        assert w.defaults("value.converter") == ["org.apache.kafka.connect.storage.StringConverter"]
    path.write_text(f"key.converter=${{file:{tmp_path}/secrets.properties:wrong}}\n")
    done = subprocess.run([BINARY, "server", "--data-dir", str(tmp_path / "d"), "--kafka-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0",
                           "--connect-listen", "127.0.0.1:0", "--connect-config", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "secrets.properties:wrong} for configuration key.converter" in done.stderr, done.stderr
    assert "hunter2" not in done.stderr


def test_the_command_line_is_stronger(tmp_path):
    with Started(tmp_path, {"CONNECT_LISTENERS": "http://127.0.0.1:1", "CONNECT_VALUE_CONVERTER": "JsonConverter"}, "--connect-listen", "127.0.0.1:PORT", "--set",
                 "value.converter=StringConverter") as w:
        assert w.defaults("value.converter") == ["org.apache.kafka.connect.storage.StringConverter"]


def test_a_value_that_does_not_fit_is_named(tmp_path):
    for setting, words in (("task.shutdown.graceful.timeout.ms=soon", "soon"), ("key.converter=no.Such", "no.Such"), ("rest.extension.classes=x.Auth", "x.Auth"),
                           ("listeners=https://:8443", "http://HOST:PORT")):
        (tmp_path / "c.properties").write_text(setting)
        done = subprocess.run([BINARY, "server", "--data-dir", str(tmp_path / "d"), "--kafka-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0",
                               "--connect-config", str(tmp_path / "c.properties")], capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and words in done.stderr, (setting, done.stderr)
