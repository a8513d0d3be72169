"""What the security tests share: certificates made by the openssl command, weir with several listeners."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from clienttools import missing, run, tool  # noqa: E402,F401
from weirproc import Weir, free_port  # noqa: E402

PLAIN_JAAS = ('org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-secret" '
              'user_admin="admin-secret" user_alice="alice-secret";')
OAUTH_JAAS = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"admin\";"


def openssl(*arguments, cwd):
    run([tool("openssl"), *arguments], cwd=cwd)


class Certificates:
    """A CA, a server's key (PEM, PKCS12) and a client's, in a directory."""

    def __init__(self, directory):
        self.dir = str(directory)
        subject = "/O=weir/CN="
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", subject + "test-ca",
                "-keyout", "ca.key", "-out", "ca.pem", cwd=self.dir)
        self.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,DNS:weir.test,IP:127.0.0.1")
        self.issue("client", "/O=Example/OU=People/CN=alice")  # CN=alice,OU=People,O=Example to Java
        openssl("pkcs12", "-export", "-inkey", "server.key", "-in", "server.crt", "-certfile", "ca.pem", "-passout", "pass:store-secret",
                "-out", "server.p12", cwd=self.dir)
        with open(self.path("server.pem"), "w") as f:
            f.write(open(self.path("server.key")).read() + open(self.path("server.crt")).read())

    def issue(self, name, subject, extension=None):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout", f"{name}.key",
                "-out", f"{name}.csr", cwd=self.dir)
        with open(self.path("ext"), "w") as f:
            f.write((extension or "basicConstraints=CA:FALSE") + "\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", f"{name}.crt", cwd=self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)


class SecureWeir(Weir):
    """weir with named listeners: SecureWeir({"PLAINTEXT": "PLAINTEXT", "SASL": "SASL_PLAINTEXT"}, {...}); w.at["SASL"] is
    an address. Ports are kept over a restart."""

    def __init__(self, listeners, options=None, **rest):
        super().__init__(**rest)
        self.listeners, self.settings = listeners, options or {}
        self.listener_ports = {name: free_port() for name in listeners}
        self.at = {name: f"localhost:{port}" for name, port in self.listener_ports.items()}

    def start(self, timeout=30):
        text = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.listener_ports.items())
        mapping = ",".join(f"{name}:{protocol}" for name, protocol in self.listeners.items())
        path = os.path.join(self.dir, "server.properties")
        with open(path, "w") as f:  # as people write them
            for key, value in {"listeners": text, "listener.security.protocol.map": mapping, **self.settings}.items():
                escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
                f.write(f"{key}={escaped}\n")
        self.options = ["--config", path]
        return super().start(timeout)


def jwt(**claims):
    """An unsecured JSON Web Signature."""
    import base64
    import json

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return part({"alg": "none"}) + "." + part(claims) + "."
