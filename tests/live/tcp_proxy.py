"""A TCP proxy of a test's own, between weir and a database: it cuts connections, falls silent, and changes bytes on the way."""
import contextlib
import socket
import threading


class TcpProxy:
    """`with TcpProxy(port) as p:` listens on p.port. p.cut() ends all connections; while p.silent is set nothing of the server's passes
    (p.held counts what came meanwhile); p.replace maps bytes of the server's to others of the same length; p.cut_after, when set,
    ends a connection that has carried so many bytes of the server's."""

    def __init__(self, target):
        self.target, self.listener = target, socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.silent, self.awake, self.replace, self.cut_after = threading.Event(), threading.Event(), {}, None
        self.connections, self.held, self.closing = 0, 0, False
        self.sockets, self.lock = set(), threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing = True
        self.silent.clear()
        self.listener.close()
        self.cut()

    def cut(self):
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
                server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self.lock:
                self.sockets |= {client, server}
                self.connections += 1
            threading.Thread(target=self.pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, True), daemon=True).start()

    def pump(self, source, sink, of_server):
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while of_server and self.silent.is_set() and not self.closing:
                    self.held += len(data)
                    self.awake.wait(0.05)
                if of_server:
                    for old, new in self.replace.items():
                        assert len(old) == len(new)
                        data = data.replace(old, new)
                carried += len(data)
                if of_server and self.cut_after is not None and carried > self.cut_after:
                    sink.sendall(data[:len(data) // 2])
                    break
                sink.sendall(data)
        for s in (source, sink):
            shut(s)
        with self.lock:
            self.sockets -= {source, sink}


def shut(s):
    with contextlib.suppress(OSError):
        s.shutdown(socket.SHUT_RDWR)
