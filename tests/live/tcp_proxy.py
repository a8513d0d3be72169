"""A TCP proxy of a test's own, between weir and a database: it cuts connections, falls silent, and changes bytes on the way."""
import contextlib
import threading

from proxy import Relay


class TcpProxy(Relay):
    """`with TcpProxy(port) as p:` listens on p.port. p.cut_all() ends all connections; while p.silent is set nothing of the server's
    passes (p.held counts what came meanwhile); p.replace maps bytes of the server's to others of the same length, p.rewrite the client's, of which p.ahead(data)
    is told before they go on; p.cut_after, when
    set, ends a connection that has carried so many bytes of the server's."""

    def __init__(self, target):
        super().__init__(("127.0.0.1", target))
        self.silent, self.awake, self.replace, self.rewrite, self.cut_after = threading.Event(), threading.Event(), {}, {}, None
        self.connections, self.held, self.ahead = 0, 0, None

    def __exit__(self, *_):
        self.silent.clear()
        super().__exit__()

    def link(self, client, server):
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
                if self.ahead and not of_server:
                    self.ahead(data)
                for old, new in (self.replace if of_server else self.rewrite).items():
                    assert len(old) == len(new)
                    data = data.replace(old, new)
                carried += len(data)
                if of_server and self.cut_after is not None and carried > self.cut_after:
                    sink.sendall(data[:len(data) // 2])
                    break
                sink.sendall(data)
        self.unlink(source, sink)
