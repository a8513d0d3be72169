"""Real MongoDB servers for live tests: a replica set of one or three members, whose members can be killed and started again."""
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile

import pymongo
import pytest

from databases import SHARED, missing
from weirproc import free_port, wait_until

SCRIPT = os.path.join(SHARED, "services", "db.sh")


def free_ports(count):
    """The first of so many ports in a row that are free."""
    for _ in range(100):
        first = free_port()
        taken = False
        for port in range(first + 1, first + count):
            with contextlib.closing(__import__("socket").socket()) as s:
                taken = taken or s.connect_ex(("127.0.0.1", port)) == 0
        if not taken and first + count < 65536:
            return first
    raise AssertionError("no free ports")


class Mongo:
    def __init__(self, kind, directory, port, options=()):
        self.kind, self.dir, self.port, self.options = kind, directory, port, list(options)
        self.members = 3 if kind == "mongodb3" else 1
        self.commands = {}

    def start(self):
        with open(os.path.join(tempfile.gettempdir(), "weir-services.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the first start fetches the server: two at once would be in each other's way
            result = subprocess.run([SCRIPT, "start", self.kind, self.dir, str(self.port), *self.options], capture_output=True, text=True)
        if result.returncode == 3:
            pytest.skip(f"{self.kind} is not to be had here")
        assert result.returncode == 0, result.stderr
        for i in range(self.members):
            with open(f"/proc/{self.pid(i)}/cmdline", "rb") as f:
                self.commands[i] = [x.decode() for x in f.read().split(b"\0") if x]

    def directory(self, member):
        return self.dir if member == 0 else os.path.join(self.dir, str(member + 1))

    def pid(self, member=0):
        return int(open(os.path.join(self.directory(member), "pid")).read())

    def uri(self):
        seeds = ",".join(f"127.0.0.1:{self.port + i}" for i in range(self.members))
        return f"mongodb://{seeds}/" + ("" if self.kind == "mongodb-alone" else "?replicaSet=rs0")

    def client(self, **options):
        return pymongo.MongoClient(self.uri(), serverSelectionTimeoutMS=30000, **options)

    def primary(self):
        """Number of the member that is the primary now, or None."""
        for i in range(self.members):
            try:
                with pymongo.MongoClient("127.0.0.1", self.port + i, directConnection=True, serverSelectionTimeoutMS=1000) as c:
                    if c.admin.command("hello")["isWritablePrimary"]:
                        return i
            except pymongo.errors.PyMongoError:
                pass
        return None

    def wait_primary(self):
        return wait_until(lambda: (self.primary() or 0) + 1 if self.primary() is not None else None, 90) - 1

    def kill(self, member=0, how=signal.SIGKILL):
        pid = self.pid(member)
        os.kill(pid, how)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z", 60)

    def start_member(self, member=0):
        with open(os.path.join(self.directory(member), "log"), "ab") as log:
            subprocess.Popen(self.commands[member], stdout=log, stderr=log, start_new_session=True)

        def answers():
            try:
                with pymongo.MongoClient("127.0.0.1", self.port + member, directConnection=True, serverSelectionTimeoutMS=500) as c:
                    return c.admin.command("hello")
            except pymongo.errors.PyMongoError:
                return None
        wait_until(answers, 60)

    def connector(self, prefix, **extra):
        """A configuration for this server; extra: option names with '_' for '.'."""
        config = {"connector.class": "io.debezium.connector.mongodb.MongoDbConnector", "tasks.max": "1",
                  "mongodb.connection.string": self.uri(), "topic.prefix": prefix,
                  "key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false",
                  "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}
        config.update({k.replace("_", "."): str(v) for k, v in extra.items()})
        return config


@contextlib.contextmanager
def mongo(kind="mongodb", options=()):
    """kind: mongodb (a set of one), mongodb3 (of three), mongodb-alone (no set)."""
    if not os.path.exists(SCRIPT):
        missing(f"{kind}: the shared services are not beside this clone")
    directory = tempfile.mkdtemp(prefix="weir-mongo-")
    db = Mongo(kind, directory, free_ports(3 if kind == "mongodb3" else 1), options)
    try:
        db.start()
        yield db
    finally:
        subprocess.run([SCRIPT, "stop", directory], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(directory, ignore_errors=True)


