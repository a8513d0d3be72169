"""What the benches of capture share: the reader to compare with, how far a topic is, memory of a process, the line of a result."""
import statistics
import subprocess
import sys
import time

from confluent_kafka import KafkaException, TopicPartition


def raw_reader(program):
    """A function that runs it with arguments and gives the first number that it prints."""
    def number(*arguments):
        return float(subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.split()[0])
    return number


def high(consumer, topic):
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5, cached=False)[1]
    except KafkaException:
        return 0


def until(consumer, topic, count, limit=300):
    """The time at which the topic has `count` records, seen by its high watermark."""
    end = time.monotonic() + limit
    while high(consumer, topic) < count:
        if time.monotonic() > end:
            sys.exit(f"{topic} has {high(consumer, topic)} of {count} records after {limit} s")
        time.sleep(0.005)
    return time.monotonic()


def rate(consumer, topic, before, count):
    """Records a second from the first to the last of `count` that come after `before`."""
    first = until(consumer, topic, before + 1)
    already = high(consumer, topic)
    return (before + count - already) / (until(consumer, topic, before + count) - first)


def spread(name, ratios, note):
    print(f"RESULT {name} weir/raw median {statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f}); {note}", flush=True)


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


def peak_mb(pid):
    return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM"))
