"""`weir demo`, mostly with --mongodb: what it says when there is no server, and that nothing of it stays behind. That all
changes come back is tools/demo-check.sh's."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading

import pymongo
import pymysql
import pytest

from mongo import mongo
from weirproc import BINARY, wait_until

ANY_PORTS = ("--kafka-listen", "127.0.0.1:0", "--connect-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0")
EVERYWHERE = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"  # where weir looks besides PATH


@pytest.fixture(scope="module")
def mongod():
    path = os.environ.get("WEIR_MONGOD") or shutil.which("mongod")
    if path:
        return path
    with mongo("mongodb-alone") as db:  # fetches one
        return db.commands[0][0]


def demo(directory, *options, **how):
    return subprocess.run([BINARY, "demo", "--data-dir", str(directory), *ANY_PORTS, *options], capture_output=True, text=True, timeout=120, **how)


def with_server(mongod):
    return ["--mongodb", "--mongod", mongod] if mongod else []


def headless(directory, mongod):
    result = demo(directory, *with_server(mongod), "--headless", "--duration", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@contextlib.contextmanager
def no_mongod_at(port):
    """The port is taken, and who connects is turned away."""
    def turn_away():
        with contextlib.suppress(OSError):
            while True:
                taken.accept()[0].close()

    with socket.create_server(("127.0.0.1", port)) as taken:  # also where connections of before have not timed out
        threading.Thread(target=turn_away, daemon=True).start()
        try:
            yield
        finally:
            taken.shutdown(socket.SHUT_RDWR)


class Running:
    """A demo that shows changes, and its server: this mongod, or MariaDB."""

    def __init__(self, directory, mongod):
        self.out = open(os.path.join(directory, "out"), "w+")
        self.process = subprocess.Popen([BINARY, "demo", *with_server(mongod), "--data-dir", str(directory), *ANY_PORTS],
                                        stdout=self.out, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: "orders: UPDATE" in self.text() and "  -> outbox.event.order key=" in self.text(), 90)
            children = open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()
            assert len(children) == 1
            self.server = int(children[0])
            program = os.readlink(f"/proc/{self.server}/exe")
            assert program == os.path.realpath(mongod) if mongod else os.path.basename(program) == "mariadbd"
        except BaseException:
            self.process.kill()
            raise

    def text(self):
        return open(self.out.name).read()

    def end(self, how):
        self.process.send_signal(how)
        return self.process.wait(60)

    def server_is_gone(self):
        return not os.path.exists(f"/proc/{self.server}")


def test_without_a_mongod_one_line_says_what_to_do(tmp_path):
    if any(os.path.exists(os.path.join(d, "mongod")) for d in EVERYWHERE.split(":")):
        pytest.skip("there is a mongod")
    env = {k: v for k, v in os.environ.items() if k != "WEIR_MONGOD"} | {"PATH": "/nowhere"}
    result = demo(tmp_path, "--mongodb", env=env)
    assert result.returncode == 2 and result.stdout == "" and os.listdir(tmp_path) == []
    assert result.stderr.startswith("weir: --mongodb needs MongoDB's server, and there is no mongod") and result.stderr.count("\n") == 1
    for words in ("Debian has none", "https://www.mongodb.com/", "--mongod PATH", "plain `weir demo` needs none"):
        assert words in result.stderr
    result = demo(tmp_path, "--mongodb", env=env | {"WEIR_MONGOD": "/nowhere/mongod"})
    assert result.returncode != 0 and result.stderr == "weir: --mongod: /nowhere/mongod: No such file or directory\n"
    result = demo(tmp_path, "--mongod", "/bin/true", env=env)
    assert result.returncode == 2 and "--mongod goes with --mongodb" in result.stderr and os.listdir(tmp_path) == []


def test_what_is_no_mongod_or_an_old_one_is_refused(tmp_path):
    program = tmp_path / "mongod"  # none that is so old runs here
    for says, status, words in (("echo db version v4.4.29", 1, "is MongoDB 4.4; the demo wants 6.0 or newer\n"),
                                ("echo something else", 2, "mongod --version` says no version\n"),
                                ("exit 3", 1, "mongod failed (exit status 3) and left no word in "),
                                ("[ $1 = --version ] && echo db version v7.0.1 || kill -9 $$", 1, "the private MongoDB did not start (signal 9)"),
                                ("echo no such library; exit 1", 1, "mongod failed (exit status 1); the last lines of ")):
        program.write_text(f"#!/bin/sh\n{says}\n")
        program.chmod(0o755)
        result = demo(tmp_path, "--mongodb", "--mongod", str(program))
        assert result.returncode == status and words in result.stderr and result.stdout == "", result.stderr
        assert (tmp_path / "demo-mongodb/mongodb/data").exists() == ("signal" in words)
        shutil.rmtree(tmp_path / "demo-mongodb/mongodb/data", ignore_errors=True)
    assert result.stderr.endswith("\n  no such library\n")


def test_a_killed_demo_leaves_no_mongod_and_the_next_goes_on(tmp_path, mongod):
    first = Running(tmp_path, mongod)
    first.end(signal.SIGKILL)
    assert "orders: UPDATE id=1004 total 39.00 → " in first.text()  # a pre-image
    assert "going on where the last demo stopped" in headless(tmp_path, mongod)  # at once: the killed one's mongod may still be ending
    wait_until(first.server_is_gone, 30)

    port = (tmp_path / "demo-mongodb/mongodb/port").read_text()
    with no_mongod_at(int(port)):  # its port is another now, which the replica set must learn
        assert "going on where the last demo stopped" in headless(tmp_path, mongod)
    assert (tmp_path / "demo-mongodb/mongodb/port").read_text() != port

    (tmp_path / "demo-mongodb/mongodb/data/WiredTiger.turtle").write_text("no such thing\n")
    result = demo(tmp_path, "--mongodb", "--mongod", mongod)
    assert result.returncode == 1 and "weir: the private MongoDB did not start (signal 6); the last lines of " in result.stderr, result.stderr
    assert '\n  "msg":"' in result.stderr and len(result.stderr) < 2100
    result = demo(tmp_path, "--mongodb", "--mongod", mongod, "--fresh", "--headless", "--duration", "1")
    assert result.returncode == 0 and "snapshot: 19 documents are 19 events" in result.stdout, result.stderr


def test_ctrl_c_stops_all(tmp_path, mongod):
    running = Running(tmp_path, mongod)
    wait_until(lambda: "products: UPDATE id=6 price 7.25 → 7.35" in running.text(), 60)  # pre-images of these, too
    assert running.end(signal.SIGINT) == 0 and running.server_is_gone()
    assert running.text().endswith("stopped\n")
    assert " WARN " not in running.text(), running.text()


def test_collections_of_an_earlier_demo_keep_pre_images_now(tmp_path, mongod):
    first = Running(tmp_path, mongod)
    port = (tmp_path / "demo-mongodb/mongodb/port").read_text()
    with pymongo.MongoClient("127.0.0.1", int(port), directConnection=True) as client:
        client.shop.command("collMod", "products", changeStreamPreAndPostImages={"enabled": False})
        assert first.end(signal.SIGINT) == 0
    again = Running(tmp_path, mongod)
    wait_until(lambda: "products: UPDATE id=6 price " in again.text() and " WARN " not in again.text(), 60)
    assert again.end(signal.SIGINT) == 0


def test_a_shop_whose_orders_are_all_gone_goes_on(tmp_path):
    first = Running(tmp_path, None)
    os.kill(first.process.pid, signal.SIGSTOP)  # no more orders from there
    with pymysql.connect(unix_socket=str(tmp_path / "demo/mariadb/sock"), user="root", autocommit=True) as db:
        with db.cursor() as cursor:
            cursor.execute("DELETE FROM shop.orders")
    first.end(signal.SIGKILL)
    wait_until(first.server_is_gone, 30)
    assert "going on where the last demo stopped, with 14 rows" in headless(tmp_path, None)  # 6 customers, 8 products
