"""kcat (librdkafka as Debian ships it): list, produce with each codec, consume, groups, a restart between."""
import json

import pytest
from clienttools import CODECS, restart, run, tool


def kcat(weir, *arguments, stdin=None):
    return run([tool("kcat"), "-b", weir.bootstrap, *arguments], stdin).stdout


def test_metadata(weir):
    found = json.loads(kcat(weir, "-L", "-J"))
    assert found["brokers"] == [{"id": 1, "name": weir.bootstrap.replace("127.0.0.1", "localhost")}]
    assert found["controllerid"] == 1
    assert found["topics"] == []


def test_every_feature_of_the_probe_is_on(weir):
    """librdkafka turns features on by version ranges, old ones included. SPEC: broker 2.3"""
    out = run([tool("kcat"), "-b", weir.bootstrap, "-L", "-d", "feature"]).stderr
    off = {line.split("Disabling feature ")[1] for line in out.splitlines() if "Disabling feature " in line}
    assert "Enabling feature MsgVer2" in out
    assert off <= {"SaslAuthReq", "UnitTest"}  # authentication comes with SASL listeners


@pytest.mark.parametrize("codec", CODECS)
def test_codec_round_trip(weir, codec):
    lines = [f"key{i}:{'value ' * 50}{i}" for i in range(200)]
    kcat(weir, "-t", "t", "-P", "-K:", "-z", codec, stdin="\n".join(lines) + "\n")
    got = kcat(weir, "-t", "t", "-C", "-e", "-q", "-f", "%k:%s\n")
    assert got.splitlines() == lines


def test_headers_null_and_empty(weir):
    kcat(weir, "-t", "t", "-P", "-K:", "-Z", "-H", "name=value", "-H", "empty=", stdin="a:\n")
    assert kcat(weir, "-t", "t", "-C", "-e", "-q", "-f", "%k|%S|%h\n") == "a|-1|name=value,empty=\n"


def test_idempotent_producer(weir):
    kcat(weir, "-t", "t", "-P", "-X", "enable.idempotence=true", stdin="".join(f"{i}\n" for i in range(1000)))
    assert kcat(weir, "-t", "t", "-C", "-e", "-q").splitlines() == [str(i) for i in range(1000)]


def test_group_goes_on_after_a_restart(weir):
    group = ["-G", "g", "-X", "auto.offset.reset=earliest", "-e", "-q", "t"]
    kcat(weir, "-t", "t", "-P", stdin="1\n2\n3\n")
    assert kcat(weir, *group).splitlines() == ["1", "2", "3"]
    restart(weir)
    kcat(weir, "-t", "t", "-P", stdin="4\n5\n")
    assert kcat(weir, *group).splitlines() == ["4", "5"]


def test_query_offsets(weir):
    kcat(weir, "-t", "t", "-P", stdin="1\n2\n3\n")
    assert "t [0] offset 3" in kcat(weir, "-Q", "-t", "t:0:-1")
    assert "t [0] offset 0" in kcat(weir, "-Q", "-t", "t:0:-2")
    assert "t [0] offset 0" in kcat(weir, "-Q", "-t", "t:0:1")


def test_consume_from_an_offset_and_from_the_end(weir):
    kcat(weir, "-t", "t", "-P", stdin="".join(f"{i}\n" for i in range(10)))
    assert kcat(weir, "-t", "t", "-C", "-o", "7", "-e", "-q").split() == ["7", "8", "9"]
    assert kcat(weir, "-t", "t", "-C", "-o", "-2", "-e", "-q").split() == ["8", "9"]


def test_acks_0(weir):
    kcat(weir, "-t", "t", "-P", "-X", "acks=0", stdin="1\n2\n")
    assert kcat(weir, "-t", "t", "-C", "-c", "2", "-q").split() == ["1", "2"]
