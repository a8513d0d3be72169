"""What a newcomer meets at the command line: start, clear refusals, help, figures of the README."""
import fcntl
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from weirproc import BINARY, Weir, free_port

ANY_PORTS = ("--kafka-listen", "127.0.0.1:0", "--connect-listen", "127.0.0.1:0")
REFUSED = {"timeout": 20, "capture_output": True, "text": True}


def run(*arguments, **options):
    return subprocess.run([BINARY, *arguments], **{**REFUSED, **options})


def test_version_and_help():
    assert re.fullmatch(r"weir \d+\.\d+\.\d+\n", run("--version").stdout)
    text = run("server", "--help").stdout
    for option in ("--data-dir", "--kafka-listen", "--connect-listen", "--web-listen", "--config", "--set"):
        assert option in text
    assert "num.partitions" in run("help", "broker").stdout
    assert "offset.flush.interval.ms" in run("help", "connect").stdout
    assert run("help", "server").stdout == text


def test_a_mistake_in_a_variable_or_a_file_is_named_with_it(tmp_path):
    clean = {**os.environ, "WEIR_DATA_DIR": str(tmp_path)}
    assert run("server", env={**clean, "WEIR_WEB_LISTEN": "here"}).stderr.startswith("weir: WEIR_WEB_LISTEN: 'here'")
    assert run("server", env={**clean, "CONNECT_REST_PORT": "here"}).stderr.startswith("weir: rest.port of the Connect worker: ':here'")
    config = tmp_path / "weir.properties"
    config.write_text("web-listen=here\n")
    assert run("server", "--config", str(config), env=clean).stderr.startswith(f"weir: {config}: web-listen: 'here'")


def test_settings_that_look_like_known_ones_are_warned_of(tmp_path):
    config = tmp_path / "weir.properties"
    config.write_text("num.partition=5\nzookeeper.connect=here:2181\n")
    with Weir("--config", str(config), env={"KAFKA_LOG_RETENTION_HOUR": "1", "CONNECT_OFFSET_FLUSH_INTERVALL_MS": "1"}) as w:
        warning = re.search(r" WARN  main settings that do not exist have no effect: (.*)", w.log()).group(1)
        assert warning == ("log.retention.hour (did you mean log.retention.hours?), "
                           "offset.flush.intervall.ms (did you mean offset.flush.interval.ms?), num.partition (did you mean num.partitions?)")
        assert re.search(r" INFO  main settings without a meaning here are ignored: zookeeper.connect$", w.log(), re.M)


def exposed(*options):
    with Weir(*options) as w:
        return re.findall(r" WARN  main everyone in the network can use (.*)", w.log())


def test_what_the_network_reaches_is_warned_of_once():
    assert exposed() == []
    assert exposed("--web-listen", "localhost:0", "--kafka-listen", "[::1]:0", "--metrics-listen", "127.0.0.1:0") == []
    all_open, = exposed("--kafka-listen", ":0", "--connect-listen", "0.0.0.0:0", "--web-listen", "[::]:0")
    assert re.match(r"Kafka on 0\.0\.0\.0:\d+, Connect on 0\.0\.0\.0:\d+, the web page on \[::\]:\d+: nobody is asked for a password\. "
                    r"For this machine alone: --kafka-listen 127\.0\.0\.1:9092, --connect-listen 127\.0\.0\.1:8083, "
                    r"--web-listen 127\.0\.0\.1:8080; in a container publish the ports as -p 127\.0\.0\.1:9092:9092 or not at all\.", all_open)
    web, = exposed("--web-listen", "0.0.0.0:0")
    assert web.startswith("the web page on 0.0.0.0:") and "Kafka" not in web and "--connect-listen" not in web
    metrics, = exposed("--metrics-listen", "127.0.0.1:0,0.0.0.0:0,[::]:0")
    assert re.match(r"metrics on 0\.0\.0\.0:\d+, metrics on \[::\]:\d+: nobody .* For this machine alone: --metrics-listen 127\.0\.0\.1:PORT; ", metrics)


def test_a_listener_that_asks_who_it_is_is_not_open():
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required user_a=\"b\";"
    listeners = ("--set", "listeners=PLAINTEXT://127.0.0.1:0,SASL://:0", "--set", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
                 "--set", "sasl.enabled.mechanisms=PLAIN", "--set", f"listener.name.sasl.plain.sasl.jaas.config={plain}")
    assert exposed(*listeners) == []
    text, = exposed(*listeners, "--set", "listeners=PLAINTEXT://0.0.0.0:0,SASL://:0")
    assert re.match(r"Kafka on 0\.0\.0\.0:\d+: nobody .* For this machine alone: listeners=PLAINTEXT://127\.0\.0\.1:9092; ", text)
    assert exposed(*listeners, "--set", "listeners=PLAINTEXT://0.0.0.0:0,SASL://:0",
                   "--set", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "--set", "super.users=User:a") == []


@pytest.mark.parametrize("arguments, words", [
    (["nonsense"], "there is no command 'nonsense'"),
    (["server", "--data-dri", "x"], "data-dir"),
    (["server", "--set", "num.partition=3"], "num.partitions"),
    (["server", "--set", "num.partitions=many"], "num.partitions"),
    (["server", "--kafka-listen", "9092"], "--kafka-listen: '9092' is not an address; give HOST:PORT"),
    (["server", "--web-listen", "localhost:99999"], "--web-listen: there is no port 99999"),
    (["server", "--web-listn", "localhost:1"], "did you mean --web-listen? see weir server --help"),
    (["server", "--frobnicate", "1"], "--frobnicate; see weir server --help"),
    (["server", "--num.partition", "1"], "did you mean --set num.partitions=VALUE?"),
    (["demo", "--fesh"], "did you mean --fresh? see weir demo --help"),
    (["server", "--web-listen", "192.0.2.1:8080", *ANY_PORTS], "no such address: give --web-listen one"),
    (["server", "--kafka-listen", "192.0.2.1:9092"], "this machine has no such address"),
    (["server", "--kafka-listen", ":0", "--connect-listen", "localhost:18765", "--web-listen", ":18765"],
     "--connect-listen and --web-listen both have port 18765"),
    (["server", "--set", "listeners=PLAINTEXT://:18765", "--connect-listen", "127.0.0.1:18765"],
     "listeners and --connect-listen both have port 18765"),
    (["help", "serve"], "did you mean 'server'?"),
    (["server", "--config", "/nonexistent/file"], "/nonexistent/file"),
])
def test_a_mistake_is_named_in_one_line(arguments, words, tmp_path):
    result = run(*arguments, env={**os.environ, "WEIR_DATA_DIR": str(tmp_path)})
    assert result.returncode != 0
    assert words in result.stderr and result.stderr.startswith("weir: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("which", ["kafka", "connect", "web"])
def test_taken_port(which, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {name: 0 for name in ("kafka", "connect", "web")} | {which: port}
        result = run("server", "--data-dir", str(tmp_path), *[x for name, p in ports.items() for x in (f"--{name}-listen", f"127.0.0.1:{p}")])
    assert result.returncode not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    lines = [line for line in result.stderr.splitlines() if line.startswith("weir: ")]
    assert len(lines) == 1 and str(port) in lines[0], result.stderr


def test_unwritable_directory():
    result = run("server", "--data-dir", "/proc/weir-cannot-be-here")
    assert result.returncode != 0
    assert "/proc/weir-cannot-be-here" in result.stderr and "--data-dir" in result.stderr


def test_second_instance_on_the_same_directory():
    with Weir() as first:
        second = run("server", "--data-dir", os.path.join(first.dir, "data"), "--kafka-listen", "127.0.0.1:0",
                     "--connect-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0")
        assert second.returncode != 0
        lines = [line for line in second.stderr.splitlines() if line.startswith("weir: ")]
        assert len(lines) == 1 and f"weir runs here already (process {first.process.pid})" in lines[0] and "--data-dir" in lines[0], second.stderr
        assert first.rest("GET", "/")[0] == 200  # unharmed


def test_a_second_instance_touches_nothing(tmp_path):
    with open(tmp_path / "weir.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = run("server", "--data-dir", str(tmp_path), *ANY_PORTS, "--web-listen", "127.0.0.1:0")
        assert second.returncode == 3 and "weir runs here already" in second.stderr
    assert os.listdir(tmp_path) == ["weir.lock"]


@pytest.mark.parametrize("which", ["kafka", "connect", "web"])
def test_a_demo_that_cannot_start_leaves_nothing_behind(which, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {name: 0 for name in ("kafka", "connect", "web")} | {which: port}
        result = run("demo", "--data-dir", str(tmp_path), *[x for name, p in ports.items() for x in (f"--{name}-listen", f"127.0.0.1:{p}")])
    assert result.returncode == 3 and f"port {port} on 127.0.0.1 is taken by another program" in result.stderr
    assert result.stdout == "" and os.listdir(tmp_path) == []


def test_the_last_of_several_options_counts():
    with Weir("--set", "num.partitions=5", "--log-level", "debug", "--set", "num.partitions=7", "--log-level", "info",
              "--metrics-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0") as w:
        assert describe_default_partitions(w) == 7
        assert " DEBUG " not in w.log()
        assert open(os.path.join(w.dir, "weir.out")).read().count("/metrics") == 2


@pytest.mark.parametrize("levels, told", [("main=info,error", True), ("error,main=info", True), ("main=error,info", False), ("info", True)])
def test_the_level_of_a_part_holds_beside_that_of_all(levels, told):
    with Weir("--log-level", levels) as w:
        w.stop()
        assert (" INFO  main stopping" in w.log()) == told


def test_who_asks_the_page_for_connect_hears_its_address(weir):
    for method, body in (("POST", {"name": "x", "config": {}}), ("GET", None)):
        status, answer = weir.rest(method, "/connectors", body, base=weir.web)
        assert status in (404, 405) and weir.connect in answer["message"]


def test_pages_of_other_sites_hear_how_they_are_let_in(weir):
    status, answer = weir.rest("POST", "/connectors", {}, headers={"Origin": "http://ui.example.org"})
    assert status == 403 and "--set access.control.allow.origin=" in answer["message"]
    status, answer = weir.rest("POST", "/api/lab/elect", {}, headers={"Origin": "http://ui.example.org"}, base=weir.web)
    assert status == 403 and "the address it was opened with" in answer["message"]


def test_what_a_rest_client_did_wrong_is_in_the_log(weir):
    assert weir.rest("POST", "/connectors", "{}", headers={"Content-Type": "application/x-www-form-urlencoded"})[0] == 415
    assert "Content-Type: application/json, not application/x-www-form-urlencoded" in weir.log()
    config = {"connector.class": "io.debezium.connector.mysql.MySQLConnector"}
    status, answer = weir.rest("POST", "/connectors", {"name": "x", "config": config})
    assert status == 400 and "Failed to find any class that implements Connector" in answer["message"]  # Kafka Connect's text, all of it
    assert answer["message"].endswith("location='classpath'}; did you mean io.debezium.connector.mysql.MySqlConnector?")
    assert "did you mean io.debezium.connector.mysql.MySqlConnector?" in weir.log()


@pytest.mark.parametrize("typed, meant", [
    ("FileStreamSorce", "org.apache.kafka.connect.file.FileStreamSourceConnector"),
    ("MongoDBConnector", "io.debezium.connector.mongodb.MongoDbConnector"),
    ("io.debezium.mysql.MySqlConnector", "io.debezium.connector.mysql.MySqlConnector"),
    ("org.apache.kafka.connect.FileStreamSink", "org.apache.kafka.connect.file.FileStreamSinkConnector"),
    ("io.debezium.connector.postgresql.PostgresConnector", None),  # no near name: weir has nothing like it
    ("io.debezium.connector.db2.Db2Connector", None),
    ("io.confluent.connect.jdbc.JdbcSinkConnector", None),
])
def test_the_class_that_was_meant_is_in_the_answer(weir, typed, meant):
    status, answer = weir.rest("POST", "/connectors", {"name": "x", "config": {"connector.class": typed}})
    assert status == 400 and answer["message"].partition("; did you mean ")[2] == (f"{meant}?" if meant else "")


def test_start_up_block_is_short_and_stop_is_quick(weir):
    block = open(os.path.join(weir.dir, "weir.out")).read()
    assert len(block.splitlines()) <= 10
    started = time.monotonic()
    assert weir.stop() == 0
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("family, host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_listens_on_both_loopback_addresses(weir, family, host):
    for port in weir.ports.values():
        with socket.socket(family) as s:
            s.settimeout(5)
            try:
                s.connect((host, port))
            except OSError as e:
                if family == socket.AF_INET6 and not os.path.exists("/proc/net/if_inet6"):
                    pytest.skip("no IPv6 here")
                raise AssertionError(f"{host}:{port}: {e}")


def test_config_file_and_precedence(tmp_path):
    config = tmp_path / "weir.properties"
    config.write_text(f"# comment\nnum.partitions=5\nlog-level = warn\n")
    with Weir("--config", str(config)) as w:
        assert describe_default_partitions(w) == 5
    with Weir("--config", str(config), "--set", "num.partitions=7") as w:
        assert describe_default_partitions(w) == 7


def describe_default_partitions(w):
    from kafka_io import producer
    p = producer(w.bootstrap)
    p.produce("made-by-default", b"x")
    assert p.flush(15) == 0
    return len(p.list_topics("made-by-default", timeout=10).topics["made-by-default"].partitions)


def test_idle_costs_nothing(weir):
    def ticks():
        fields = open(f"/proc/{weir.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    time.sleep(1)
    before = ticks()
    time.sleep(3)
    assert (ticks() - before) / os.sysconf("SC_CLK_TCK") < 0.15
