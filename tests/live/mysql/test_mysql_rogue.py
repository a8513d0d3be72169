"""A server that asks the client for one of its files (LOAD DATA LOCAL INFILE, which a server may ask for after any statement) gets nothing."""
import contextlib
import socket
import struct
import threading

import pytest

from weirproc import Weir, wait_until

COMMANDS = {3: "query", 18: "dump", 22: "prepare", 30: "dump by GTID"}


def packet(s):
    """(sequence, body), or None at the end."""
    head = exactly(s, 4)
    return head and (head[3], exactly(s, int.from_bytes(head[:3], "little")))


def exactly(s, n):
    out = b""
    while len(out) < n:
        more = s.recv(n - len(out))
        if not more:
            return None
        out += more
    return out


@contextlib.contextmanager
def ended(s):
    """Another thread may be reading it: the other side hears of the end all the same."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_RDWR)


class Rogue:
    """Stands before a real server and lets logins and statements pass, but for every `every`-th command of a connection: that one it
    answers itself, with the request for a file, and keeps what the client sends then."""

    def __init__(self, target, path):
        self.target, self.path, self.every, self.dumps = target, path.encode(), 1, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked, self.sent = [], b""

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError, TypeError), client, socket.create_connection(("127.0.0.1", self.target)) as server, ended(server):
            logged_in = threading.Event()
            threading.Thread(target=self.back, args=(server, client, logged_in), daemon=True).start()
            commands = 0
            while True:
                sequence, body = packet(client)
                if sequence == 0 and logged_in.is_set() and body and body[0] in COMMANDS:
                    commands += 1
                    if commands % self.every == 0 or (self.dumps and body[0] in (18, 30)):
                        self.ask(client, body)
                        return
                server.sendall(struct.pack("<I", len(body))[:3] + bytes([sequence]) + body)

    def back(self, server, client, logged_in):
        with contextlib.suppress(OSError, TypeError):
            while True:
                sequence, body = packet(server)
                if sequence > 0 and body[:1] == b"\0":
                    logged_in.set()  # the OK packet of the login is the first one
                client.sendall(struct.pack("<I", len(body))[:3] + bytes([sequence]) + body)

    def ask(self, client, body):
        self.asked.append(COMMANDS[body[0]] + " " + body[1:40].decode(errors="replace"))
        request = b"\xfb" + self.path
        client.sendall(struct.pack("<I", len(request))[:3] + b"\x01" + request)
        client.settimeout(2)
        with contextlib.suppress(OSError):
            while more := client.recv(65536):
                self.sent += more


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_server_that_asks_for_a_file(kind, mariadb, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the contents of a file of the client's\n" * 100)
    mariadb.sql("DROP DATABASE IF EXISTS rogue;\nCREATE DATABASE rogue;\nCREATE TABLE rogue.t (id INT PRIMARY KEY);\nINSERT INTO rogue.t VALUES (1)")
    with Rogue(mariadb.port, str(secret)) as server, Weir() as weir:
        config = mariadb.connector("rogue", database_include_list="rogue", database_port=server.port, errors_max_retries=0)
        if kind == "mysql":
            config["connector.class"] = "io.debezium.connector.mysql.MySqlConnector"
        weir.rest("POST", "/connectors", {"name": "early", "config": config})
        wait_until(lambda: server.asked)
        server.every = 1 << 30  # the checks of the configuration pass
        weir.create_connector("rogue", config)
        weir.wait_running("rogue")
        for every in (3, 5, 8, 12, 17, 23):  # then ever later commands of a task's start are answered so
            server.every = every
            before, streams = len(server.asked), weir.log().count("Connected to binlog")
            weir.rest("POST", "/connectors/rogue/restart?includeTasks=true")
            wait_until(lambda: len(server.asked) > before or weir.log().count("Connected to binlog") > streams, 60)
        server.every, server.dumps = 1 << 30, True
        weir.rest("POST", "/connectors/rogue/restart?includeTasks=true")
        wait_until(lambda: any(a.startswith("dump") for a in server.asked))
        server.dumps = False
        assert len(server.asked) >= 5, server.asked
        assert b"contents" not in server.sent, server.asked
        print(server.asked)
        server.every = 1 << 30
        weir.rest("POST", "/connectors/rogue/restart?includeTasks=true")
        weir.wait_running("rogue")
