"""A Kafka proxy of a test's own: clients reach weir through it, and it loses answers, cuts connections, trickles.

Frames are told apart (a size, then for requests API key, version and correlation id), so that a test can lose just the
answers of Produce: the broker has done the work, the client never hears of it and comes again."""
import random
import socket
import struct
import threading

PRODUCE = 0


class Relay:
    """`with Relay() as r:` listens on r.port and joins each client with r.target, (host, port), through link(); cut_all() ends all
    connections. What passes between them is link()'s matter."""

    def __init__(self, target=None):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.target, self.closing = target, False
        self.sockets, self.lock = set(), threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing = True
        self.listener.close()
        self.cut_all()

    def cut_all(self):
        with self.lock:
            sockets = list(self.sockets)
        for s in sockets:
            shut(s)

    def accept(self):
        while not self.closing:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, timeout=10)
                server.settimeout(None)
            except OSError:  # the server is down
                client.close()
                continue
            for s in (client, server):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.sockets |= {client, server}
            self.link(client, server)

    def unlink(self, *sockets):
        for s in sockets:
            shut(s)
        with self.lock:
            self.sockets -= set(sockets)


class Proxy(Relay):
    """p.target is set once the broker runs. p.rules(kind, api_key) -> action decides for each frame, kind "request" or "answer":
    "pass", "cut" (the connection ends, the frame is lost), "half" (half of the frame arrives, then the connection ends)."""

    def __init__(self, rules=None):
        super().__init__()
        self.rules, self.chunk, self.cuts = rules or (lambda kind, key: "pass"), None, 0

    def link(self, client, server):
        link = {"keys": {}, "client": client, "server": server}
        for kind, source, sink in (("request", client, server), ("answer", server, client)):
            threading.Thread(target=self.pump, args=(link, kind, source, sink), daemon=True).start()

    def pump(self, link, kind, source, sink):
        try:
            while True:
                head = exactly(source, 4)
                frame = exactly(source, struct.unpack(">i", head)[0])
                if kind == "request":
                    key, _, correlation = struct.unpack(">hhi", frame[:8])
                    link["keys"][correlation] = key
                else:
                    key = link["keys"].pop(struct.unpack(">i", frame[:4])[0], -1)
                action = self.rules(kind, key)
                if action == "half":
                    sink.sendall((head + frame)[:(len(frame) + 4) // 2])
                if action != "pass":
                    self.cuts += 1
                    return
                self.send(sink, head + frame)
        except OSError:
            pass
        finally:
            self.unlink(link["client"], link["server"])

    def send(self, sink, data):
        step = self.chunk or len(data)
        for at in range(0, len(data), step):
            sink.sendall(data[at:at + step])


def exactly(s, n):
    out = bytearray()
    while len(out) < n:
        more = s.recv(min(n - len(out), 1 << 20))
        if not more:
            raise OSError("closed")
        out += more
    return bytes(out)


def shut(s):
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def unreliable(seed, answers=0.1, requests=0.03, halves=0.03):
    """Rules that lose this share of Produce's answers and requests; everything else passes."""
    chance, lock = random.Random(seed), threading.Lock()

    def rules(kind, key):
        if key != PRODUCE:
            return "pass"
        with lock:
            x = chance.random()
        if kind == "answer":
            return "cut" if x < answers else "half" if x < answers + halves else "pass"
        return "cut" if x < requests else "half" if x < requests + halves else "pass"
    return rules
