"""A weir process of a test's own: free ports, its own data directory, its log kept for failures."""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("WEIR", os.path.join(ROOT, "build", "weir"))


class Weir:
    """`with Weir() as w:` starts it; w.bootstrap, w.connect, w.web are its addresses. It can be killed
    and started again on the same directory and ports."""

    def __init__(self, *options, data_dir=None, env=None, prefix=()):
        self.options, self.env, self.prefix = list(options), env, list(prefix)
        self.own_dir = data_dir is None
        self.dir = data_dir or tempfile.mkdtemp(prefix="weir-live-")
        self.log_path = os.path.join(self.dir, "weir.log")
        self.process = self.bootstrap = self.connect = self.web = None
        self.ports = {"kafka": 0, "connect": 0, "web": 0}

    def start(self, timeout=30):
        """Starts it; once more while another program holds a port that this server had before (its client's end of some
        connection, mostly: the machine hands out the port of a stopped server)."""
        until = time.monotonic() + timeout
        while True:
            size = len(self.log())
            try:
                return self.start_once(timeout)
            except AssertionError:
                if "is taken by another program" not in self.log()[size:] or time.monotonic() > until:
                    raise
                if "--lab-brokers" in self.options:
                    self.ports["kafka"] = 0  # further ports follow the first: only a free first one helps
                time.sleep(0.2)

    def start_once(self, timeout):
        out_path = os.path.join(self.dir, "weir.out")
        command = [*self.prefix, BINARY, "server", "--data-dir", os.path.join(self.dir, "data")]
        for name, port in self.ports.items():
            command += [f"--{name}-listen", f"127.0.0.1:{port}"]
        with open(out_path, "wb") as out, open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + self.options, stdout=out, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **(self.env or {})})
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            text = open(out_path).read()
            found = re.search(r"^  Kafka +(\S+)\n  Connect +(\S+)\n  Web page +(\S+)\n", text, re.M)
            if found:
                kafka, self.connect, self.web = found.groups()
                self.bootstrap = "127.0.0.1:" + kafka.rsplit(":", 1)[1]
                self.ports = {"kafka": int(kafka.rsplit(":", 1)[1]), "connect": int(self.connect.rsplit(":", 1)[1]),
                              "web": int(self.web.rsplit(":", 1)[1])}
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"weir did not start (status {self.process.poll()}):\n{self.log()}")

    def log(self):
        return open(self.log_path, errors="replace").read() if os.path.exists(self.log_path) else ""

    def kill(self):
        """kill -9, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout=30):
        """SIGTERM; returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"weir did not stop within {timeout} s:\n{self.log()[-4000:]}")
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"--- weir log ({self.log_path})\n{self.log()[-8000:]}")
        try:
            status = self.stop()
            if kind is None:
                assert status == 0, f"weir ended with status {status}:\n{self.log()[-8000:]}"
        finally:
            if self.own_dir:
                shutil.rmtree(self.dir, ignore_errors=True)

    def rest(self, method, path, body=None, headers=None, base=None):
        """(status, parsed JSON or text or None) of a call to Connect (or another base URL)."""
        data = None if body is None else (body if isinstance(body, (bytes, str)) else json.dumps(body))
        if isinstance(data, str):
            data = data.encode()
        request = urllib.request.Request((base or self.connect) + path, data, {"Content-Type": "application/json", **(headers or {})},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read()
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text.decode(errors="replace")

    def create_connector(self, name, config):
        status, body = self.rest("POST", "/connectors", {"name": name, "config": config})
        assert status == 201, (status, body)
        return body

    def wait_running(self, name, timeout=30):
        """Until connector and its tasks run; fails with the trace when one of them failed."""
        until = time.monotonic() + timeout
        body = None
        while time.monotonic() < until:
            status, body = self.rest("GET", f"/connectors/{name}/status")
            if status == 200:
                states = [body["connector"]["state"]] + [t["state"] for t in body["tasks"]]
                assert "FAILED" not in states, body
                if len(states) > 1 and set(states) == {"RUNNING"}:
                    return body
            time.sleep(0.05)
        raise AssertionError(f"{name} does not run: {body}")


def free_port():
    """Below the range that the kernel takes the ports of outgoing connections from: no connection has it before a server does."""
    for _ in range(1000):
        port = random.randrange(10240, 32768)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def wait_until(what, timeout=30, interval=0.05):
    """Calls what() until it is true (and returns that), or fails."""
    until = time.monotonic() + timeout
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"did not come true within {timeout} s; last: {value!r}")
        time.sleep(interval)
