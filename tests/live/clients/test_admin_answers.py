"""Every question of AdminAnswers.java gets from weir the answer that Apache Kafka 4.1 gave (tests/data/admin-answers.txt): codes
and texts of topics, configurations and the cluster, mistakes above all."""
import os
import re
import subprocess

from kafka_tools import HERE, class_path
from weirproc import ROOT, Weir

# Questions whose answers are meant to differ.
OTHERWISE = {
    r"segment\.bytes=100\b": "weir takes small segments: demonstrations of compaction use them",
    r"retention\.ms= 60000 ": "spaces around a value are not kept",
    r"log\.cleaner\.threads=(0|1000)\b|num\.(io\.threads|replica\.fetchers)=(100|0)\b|overrides=x|=/x, SET node":
        "settings without effect on weir are checked by their type",
    r"SET listeners=x": "listeners are opened at the start only",
    r"BROKER '1' \[SET sasl\.enabled\.mechanisms": "mechanisms are read at the start only, so a change is refused",
    r"feature metadata\.version 26 type 2|feature kraft": "features have one level",
    r"^features =|^feature (group|transaction)\.version": "levels follow what weir serves",
    r"^quorum =": "no directory id: it is one of kraft.version 1, which the question before had switched on",
    r"^configs TOPIC 'plain'": "contains segment.bytes=100 of above; Kafka shows changes of the broker late",
}

# Broker options whose type, default or flags differ from Kafka's (tests/data/broker-configs.txt), and why.
OPTIONS_OTHERWISE = {
    "group.coordinator.rebalance.protocols": "no streams groups",
    "listeners": "opened at the start only",
    "listener.security.protocol.map": "listeners are opened at the start only",
}


def broker_options(line):
    """name type [read-only] [sensitive] default, of each entry of `configs BROKER '1'`."""
    for entry in line.split(" => ", 1)[1].split("]; "):
        name, _, _, kind, fixed, secret, synonyms = re.match(
            r"(\S+?)=(.*?) ([A-Z_]+_CONFIG) (\w+)( read-only)?( sensitive)? \[(.*?)\]?$", entry).groups()
        default = re.search(rf"name={re.escape(name)}, value=((?:(?!, source=).)*), source=DEFAULT_CONFIG", synonyms)
        yield name, f"{name} {kind}{fixed or ''}{secret or ''} {default.group(1) if default else 'null'}"


def test_admin_answers():
    with Weir("--set", "replication.factor.clamp=false") as weir:
        done = subprocess.run(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path(), os.path.join(HERE, "AdminAnswers.java"),
                               weir.bootstrap], capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr[-3000:]
    described = dict(broker_options([line for line in done.stdout.splitlines() if line.startswith("configs BROKER '1' => add.")][0]))
    options = open(os.path.join(ROOT, "tests", "data", "broker-configs.txt"), encoding="utf-8").read().splitlines()
    wrong = [f"recorded {o}\n     now {described.get(o.split(' ')[0])}" for o in options
             if described.get(o.split(" ")[0]) != o and o.split(" ")[0] not in OPTIONS_OTHERWISE]
    assert not wrong, "\n" + "\n".join(wrong)
    now = [line for line in done.stdout.splitlines() if not re.match(r"\d\d:|configs BROKER '1'", line)]
    recorded = open(os.path.join(ROOT, "tests", "data", "admin-answers.txt"), encoding="utf-8").read().splitlines()
    assert [line.split(" => ")[0] for line in now] == [line.split(" => ")[0] for line in recorded]
    wrong = [f"recorded {a}\n     now {b}" for a, b in zip(recorded, now) if a != b and not any(re.search(x, a) for x in OTHERWISE)]
    assert not wrong, "\n" + "\n".join(wrong)
