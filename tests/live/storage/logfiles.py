"""What is in a partition's directory, and Kafka's own reader of it."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))
from clienttools import missing, run  # noqa: E402

STACK = os.path.join(HERE, "..", "..", "..", "..", "shared", "oracle", "stack.sh")


def directory(weir, topic, partition=0):
    return os.path.join(weir.dir, "data", "kafka-logs", f"{topic}-{partition}")


def files(weir, topic, partition=0, suffix=""):
    path = directory(weir, topic, partition)
    return sorted(os.path.join(path, n) for n in os.listdir(path) if n.endswith(suffix))


def dump(paths):
    """DumpLogSegments over the files; fails when it complains about one of them."""
    if not os.path.exists(STACK):
        missing("the folder with Kafka's own tools (../shared)")
    done = run(["bash", STACK, "tool", "kafka.tools.DumpLogSegments", "--deep-iteration", "--print-data-log",
                "--files", ",".join(paths)], timeout=240)
    out = done.stdout + done.stderr
    for complaint in ("Mismatches in", "not found", "sanity", "Exception", "out of order",  # gaps in offsets are compaction's
                      "isvalid: false", "corrupt"):
        lines = [line for line in out.splitlines() if complaint.lower() in line.lower()]
        assert not lines, f"{complaint}: {lines[:5]}"
    return out
