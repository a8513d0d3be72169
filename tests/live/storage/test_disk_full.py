"""A full disk: producers get an error, consumers go on, and so does everything when there is room again."""
import os
import subprocess
import tempfile

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from kafka_io import producer, read_all
from weirproc import Weir, wait_until


@pytest.fixture
def small_disk():
    """A directory with 32 MB."""
    path = tempfile.mkdtemp(prefix="weir-disk-")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", path], capture_output=True, text=True)
    if done.returncode != 0:
        os.rmdir(path)
        pytest.skip(f"mounting a small disk takes root: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)
        os.rmdir(path)


def fill_up(w, topic, acked, seconds=60):
    """Produces until the disk is full; the error's name."""
    p = producer(w.bootstrap, message_timeout_ms=4000, retries=0, linger_ms=1)
    errors = []

    def delivered(error, message):
        if error is None:
            acked.append(message.offset())
        else:
            errors.append(error.name())
    for _ in range(2000):
        p.produce(topic, os.urandom(50000), on_delivery=delivered)
        p.flush(10)
        if errors:
            return errors[0]
    raise AssertionError("the disk never got full")


def test_full_disk(small_disk):
    with Weir("--set", "log.retention.check.interval.ms=300", "--set", "log.segment.delete.delay.ms=0", data_dir=small_disk) as w:
        admin = AdminClient({"bootstrap.servers": w.bootstrap})
        for f in admin.create_topics([NewTopic("t", 1, config={"segment.bytes": "1000000", "retention.ms": "-1"}),
                                      NewTopic("other", 1)]).values():
            f.result(20)
        acked = []
        assert fill_up(w, "t", acked) == "KAFKA_STORAGE_ERROR"
        missed = [sorted(set(acked) - {m.offset() for m in read_all(w.bootstrap, "t")}) for _ in range(3)]
        assert missed == [[], [], []]  # consumers do not notice
        assert w.process.poll() is None
        ballast = os.path.join(small_disk, "ballast")
        fd = os.open(ballast, os.O_CREAT | os.O_WRONLY)  # not one byte is left
        try:
            while True:
                os.write(fd, bytes(4096))
        except OSError:
            os.close(fd)
        assert fill_up(w, "t", []) == "KAFKA_STORAGE_ERROR"
        assert fill_up(w, "other", []) == "KAFKA_STORAGE_ERROR"
        os.unlink(ballast)
        r = ConfigResource("topic", "t", set_config={"retention.bytes": "3000000", "segment.bytes": "1000000"})
        admin.alter_configs([r])[r].result(20)  # retention makes room, without a restart

        def works():
            p = producer(w.bootstrap, message_timeout_ms=3000)
            done = []
            p.produce("t", b"again", on_delivery=lambda e, m: done.append(e))
            p.flush(5)
            return done == [None]
        wait_until(works, 30, 0.3)
        wait_until(lambda: read_all(w.bootstrap, "t")[0].offset() > acked[0], 30, 0.3)
        wait_until(works, 30, 0.3)
        stored = read_all(w.bootstrap, "t")
        assert stored[-1].value() == b"again"
        offsets = [m.offset() for m in stored]
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
        assert offsets[0] > acked[0]
        w.kill()
        w.start()
        assert [m.offset() for m in read_all(w.bootstrap, "t")][-len(offsets):] == offsets[-len(offsets):]
