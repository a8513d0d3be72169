"""TLS and SASL listeners with the clients that people use. SPEC: broker 11.2, 11.3, 15.28"""
import os
import socket
import ssl
import struct
import time

import pytest
from secure import OAUTH_JAAS, PLAIN_JAAS, Certificates, SecureWeir, jwt, missing, openssl, run, tool
from weirproc import Weir, free_port, wait_until

try:
    from confluent_kafka import Consumer, KafkaError, Producer
    from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion, \
        UserScramCredentialUpsertion
except ImportError:
    AdminClient = None
try:
    import kafka
except ImportError:
    kafka = None


@pytest.fixture(autouse=True)
def installed():
    if AdminClient is None or kafka is None:
        missing("confluent-kafka or kafka-python")


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def secure(certs):
    """Every protocol on a listener of its own; clients' certificates are asked for, not required, on SSL."""
    with SecureWeir(
            {"PLAINTEXT": "PLAINTEXT", "TLS": "SSL", "SASL": "SASL_PLAINTEXT", "BOTH": "SASL_SSL"},
            {"ssl.keystore.location": certs.path("server.pem"), "ssl.truststore.location": certs.path("ca.pem"),
             "ssl.client.auth": "required", "listener.name.tls.ssl.client.auth": "requested",  # SASL_SSL asks for none
             "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
             "listener.name.sasl.plain.sasl.jaas.config": PLAIN_JAAS, "listener.name.both.plain.sasl.jaas.config": PLAIN_JAAS,
             "listener.name.sasl.oauthbearer.sasl.jaas.config": OAUTH_JAAS,
             "listener.name.both.oauthbearer.sasl.jaas.config": OAUTH_JAAS}) as w:
        set_password(w, "alice", "scram-secret")
        yield w


def set_password(w, user, password, iterations=4096):
    admin = AdminClient({"bootstrap.servers": w.at["PLAINTEXT"]})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        changes = [UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, iterations), password.encode())]
        for future in admin.alter_user_scram_credentials(changes).values():
            future.result(20)


def oauth_token(config):
    return jwt(sub="admin", exp=time.time() + 60, iat=time.time()), time.time() + 60


def confluent(certs, listener, mechanism, password=None):
    """Options of confluent-kafka for a listener."""
    options = {}
    if listener in ("TLS", "BOTH"):
        options.update({"security.protocol": "SSL", "ssl.ca.location": certs.path("ca.pem")})
    if listener in ("SASL", "BOTH"):
        options.update({"security.protocol": "SASL_SSL" if listener == "BOTH" else "SASL_PLAINTEXT", "sasl.mechanism": mechanism})
        if mechanism == "OAUTHBEARER":
            options["oauth_cb"] = oauth_token
        else:
            options.update({"sasl.username": "alice",
                            "sasl.password": password or ("alice-secret" if mechanism == "PLAIN" else "scram-secret")})
    return options


COMBINATIONS = [("TLS", "")] + [(listener, mechanism) for listener in ("SASL", "BOTH")
                                for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")]


def round_trip(bootstrap, options, topic, size=1000, count=200):
    producer = Producer({"bootstrap.servers": bootstrap, **options})
    for i in range(count):
        producer.produce(topic, value=bytes([i % 256]) * size)
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", **options})
    consumer.subscribe([topic])
    got = []
    until = time.monotonic() + 30
    while len(got) < count and time.monotonic() < until:
        m = consumer.poll(1)
        if m and not m.error():
            got.append(m.value())
    consumer.close()
    assert got == [bytes([i % 256]) * size for i in range(count)]


@pytest.mark.parametrize("listener,mechanism", COMBINATIONS)
def test_confluent(secure, certs, listener, mechanism):
    round_trip(secure.at[listener], confluent(certs, listener, mechanism), f"confluent-{listener}-{mechanism}")


def test_large_batches_over_tls(secure, certs):
    """Much more than a TLS record and a socket buffer, both ways."""
    round_trip(secure.at["TLS"], confluent(certs, "TLS", ""), "large", size=700_000, count=20)


@pytest.mark.parametrize("listener,mechanism", [c for c in COMBINATIONS if c[1] != "OAUTHBEARER"])
def test_kafka_python(secure, certs, listener, mechanism):
    options = {"bootstrap_servers": secure.at[listener],
               "security_protocol": {"TLS": "SSL", "SASL": "SASL_PLAINTEXT", "BOTH": "SASL_SSL"}[listener]}
    if listener != "SASL":
        options["ssl_cafile"] = certs.path("ca.pem")
    if mechanism:
        options.update(sasl_mechanism=mechanism, sasl_plain_username="alice",
                       sasl_plain_password="alice-secret" if mechanism == "PLAIN" else "scram-secret")
    topic = f"python-{listener}-{mechanism}"
    producer = kafka.KafkaProducer(**options)
    for i in range(50):
        producer.send(topic, str(i).encode()).get(20)
    producer.close()
    consumer = kafka.KafkaConsumer(topic, auto_offset_reset="earliest", consumer_timeout_ms=10000, **options)
    got = []
    for message in consumer:
        got.append(message.value)
        if len(got) == 50:
            break
    consumer.close()
    assert got == [str(i).encode() for i in range(50)]


def test_kcat_over_tls(secure, certs):
    command = [tool("kcat"), "-b", secure.at["TLS"], "-X", "security.protocol=SSL", "-X", "ssl.ca.location=" + certs.path("ca.pem")]
    run(command + ["-P", "-t", "kcat-tls"], stdin="one\ntwo\n")
    assert run(command + ["-C", "-t", "kcat-tls", "-o", "beginning", "-e", "-q"]).stdout == "one\ntwo\n"


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
def test_kcat_with_a_password(secure, mechanism):
    command = [tool("kcat"), "-b", secure.at["SASL"], "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanisms=" + mechanism,
               "-X", "sasl.username=alice", "-X", "sasl.password=" + ("alice-secret" if mechanism == "PLAIN" else "scram-secret")]
    topic = "kcat-" + mechanism
    run(command + ["-P", "-t", topic], stdin="one\ntwo\n")
    assert run(command + ["-C", "-t", topic, "-o", "beginning", "-e", "-q"]).stdout == "one\ntwo\n"


# --- refusals --------------------------------------------------------------------------------------


def errors_of(bootstrap, options):
    """The texts that librdkafka reports while it can't get in."""
    texts = []
    producer = Producer({"bootstrap.servers": bootstrap, "error_cb": lambda e: texts.append(e.str()), **options})

    def seen():
        producer.poll(0.1)
        return texts
    wait_until(seen)
    return " ".join(texts)


@pytest.mark.parametrize("mechanism,text", [
    ("PLAIN", "Authentication failed: Invalid username or password"),
    ("SCRAM-SHA-256", "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256"),
    ("SCRAM-SHA-512", "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512")])
@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_wrong_password(secure, certs, mechanism, text, user):
    options = {**confluent(certs, "SASL", mechanism, password="wrong"), "sasl.username": user}
    assert text in errors_of(secure.at["SASL"], options)
    assert "wrong" not in secure.log()


def test_oauth_tokens_that_are_refused(secure, certs):
    options = confluent(certs, "SASL", "OAUTHBEARER")
    options["oauth_cb"] = lambda config: (jwt(sub="admin", exp=time.time() - 10), time.time() + 60)
    assert '{"status":"invalid_token"}' in errors_of(secure.at["SASL"], options)


def test_settings_of_kafkas_image(certs):
    """The same by the variables of Kafka's container image, options of one listener among them."""
    port = free_port()
    with Weir(env={"KAFKA_LISTENERS": f"SASL://127.0.0.1:{port}", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "SASL:SASL_PLAINTEXT",
                   "KAFKA_SASL_ENABLED_MECHANISMS": "PLAIN", "KAFKA_LISTENER_NAME_SASL_PLAIN_SASL_JAAS_CONFIG": PLAIN_JAAS}) as w:
        round_trip(f"localhost:{port}", confluent(certs, "SASL", "PLAIN"), "image", count=3)
        assert "alice-secret" not in w.log()


def test_unsupported_mechanism(certs):
    with SecureWeir({"SASL": "SASL_PLAINTEXT"}, {"sasl.enabled.mechanisms": "PLAIN",
                                                 "listener.name.sasl.plain.sasl.jaas.config": PLAIN_JAAS}) as w:
        text = errors_of(w.at["SASL"], confluent(certs, "SASL", "SCRAM-SHA-256"))
        assert "PLAIN" in text and "mechanism" in text.lower(), text


@pytest.mark.parametrize("listener,protocol,line", [
    ("TLS", "PLAINTEXT", "a client without TLS came to a TLS listener"),
    ("PLAINTEXT", "SSL", "this is a TLS handshake"),
    ("SASL", "PLAINTEXT", "a client without SASL came to a SASL listener")])
def test_wrong_protocol_is_named_in_the_log(secure, listener, protocol, line):
    producer = Producer({"bootstrap.servers": secure.at[listener], "security.protocol": protocol, "enable.ssl.certificate.verification": False})
    wait_until(lambda: producer.poll(0.1) is None or line in secure.log())


def test_http_on_a_tls_port(secure):
    host, port = secure.at["TLS"].split(":")
    with socket.create_connection((host, int(port))) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert is_closed(s)
    wait_until(lambda: "something that is not TLS came to a TLS listener" in secure.log())


# --- TLS ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure, certs, version):
    context = ssl.create_default_context(cafile=certs.path("ca.pem"))
    context.minimum_version = context.maximum_version = version
    host, port = secure.at["TLS"].split(":")
    with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain, server_hostname="localhost") as s:
        assert s.version() == version.name.replace("_", ".").replace("TLSv1.", "TLSv1.")
        s.sendall(struct.pack(">ihhih", 10, 18, 0, 7, -1))
        head = s.recv(8)
        assert struct.unpack(">ii", head)[1] == 7


def test_pkcs12_pem_text_and_jks(certs, tmp_path):
    stores = [
        {"ssl.keystore.location": certs.path("server.p12"), "ssl.keystore.password": "store-secret", "ssl.keystore.type": "PKCS12"},
        {"ssl.keystore.type": "PEM", "ssl.keystore.key": open(certs.path("server.key")).read(),
         "ssl.keystore.certificate.chain": open(certs.path("server.crt")).read().replace("\n", " ")}]
    for options in stores:
        with SecureWeir({"TLS": "SSL"}, options) as w:
            round_trip(w.at["TLS"], confluent(certs, "TLS", ""), "stores", count=3)
            assert "store-secret" not in w.log()
    (tmp_path / "old.jks").write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2")
    w = SecureWeir({"TLS": "SSL"}, {"ssl.keystore.location": str(tmp_path / "old.jks")})
    with pytest.raises(AssertionError) as failure:
        w.start()
    assert "keytool -importkeystore -srckeystore" in str(failure.value)


def refusal(listeners, options):
    with pytest.raises(AssertionError) as failure:
        SecureWeir(listeners, options).start()
    return str(failure.value)


def test_what_is_wrong_with_a_key_is_said(certs, tmp_path):
    def tls(location, **more):
        return refusal({"TLS": "SSL"}, {"ssl.keystore.location": location, **{k.replace("_", "."): v for k, v in more.items()}})
    assert f"there is no private key in {certs.path('server.crt')}; one file holds the key and its certificates" in tls(certs.path("server.crt"))
    locked = tmp_path / "locked.pem"
    openssl("pkcs8", "-topk8", "-in", certs.path("server.key"), "-passout", "pass:key-secret", "-out", str(locked), cwd=certs.dir)
    locked.write_text(locked.read_text() + open(certs.path("server.crt")).read())
    assert "the private key is encrypted; set ssl.key.password" in tls(str(locked))
    text = tls(str(locked), ssl_key_password="wrong-secret")
    assert "is ssl.key.password right?" in text and "wrong-secret" not in text
    with SecureWeir({"TLS": "SSL"}, {"ssl.keystore.location": str(locked), "ssl.key.password": "key-secret"}):
        pass
    assert "can't be opened" in (text := tls(certs.path("server.p12"))) and "set ssl.keystore.password" in text
    assert "is ssl.keystore.password right?" in tls(certs.path("server.p12"), ssl_keystore_password="wrong-secret")


def test_super_users_are_of_kafkas_form():
    text = refusal({"PLAINTEXT": "PLAINTEXT"}, {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                                                "super.users": "admin"})
    assert "super.users: 'admin' has no type before the name; write User:admin" in text


def test_plain_in_plain_text_is_warned_of():
    warning = "passwords of PLAIN can be read on the way"
    options = {"sasl.enabled.mechanisms": "PLAIN", "listener.name.sasl.plain.sasl.jaas.config": PLAIN_JAAS,
               "listener.security.protocol.map": "SASL:SASL_PLAINTEXT"}
    for host, is_warned in (("127.0.0.1", False), ("0.0.0.0", True), ("", True)):
        with Weir(*[x for k, v in {**options, "listeners": f"SASL://{host}:0"}.items() for x in ("--set", f"{k}={v}")]) as w:
            assert (warning in w.log()) == is_warned


def test_client_certificates(certs):
    """required: without one nobody gets in; with one the subject is the principal (see test_acl.py)."""
    with SecureWeir({"TLS": "SSL"}, {"ssl.keystore.location": certs.path("server.pem"), "ssl.client.auth": "required",
                                     "ssl.truststore.location": certs.path("ca.pem")}) as w:
        own = {"ssl.certificate.location": certs.path("client.crt"), "ssl.key.location": certs.path("client.key")}
        round_trip(w.at["TLS"], {**confluent(certs, "TLS", ""), **own}, "mutual", count=3)
        assert errors_of(w.at["TLS"], confluent(certs, "TLS", ""))
        wait_until(lambda: "the client has no certificate" in w.log())


# --- sessions ----------------------------------------------------------------------------------------


def test_sessions_end_and_are_renewed(certs):
    """librdkafka authenticates again before its session ends; a client that does not is closed."""
    with SecureWeir({"SASL": "SASL_PLAINTEXT"}, {"sasl.enabled.mechanisms": "PLAIN", "connections.max.reauth.ms": "2000",
                                                 "listener.name.sasl.plain.sasl.jaas.config": PLAIN_JAAS}) as w:
        producer = Producer({"bootstrap.servers": w.at["SASL"], **confluent(certs, "SASL", "PLAIN")})
        until = time.monotonic() + 5
        while time.monotonic() < until:
            producer.produce("sessions", b"x")
            assert producer.flush(10) == 0
            time.sleep(0.2)
        assert "session has ended" not in w.log()
        host, port = w.at["SASL"].split(":")
        with socket.create_connection((host, int(port))) as s:
            assert call(s, 17, 1, struct.pack(">h", 5) + b"PLAIN")[:2] == b"\0\0"
            token = b"\0alice\0alice-secret"
            answer = call(s, 36, 1, struct.pack(">i", len(token)) + token)
            code, = struct.unpack(">h", answer[:2])
            lifetime, = struct.unpack(">q", answer[-8:])
            assert code == 0 and 0 < lifetime <= 2000
            call(s, 3, 1, struct.pack(">i", 0))
            wait_until(lambda: time.monotonic() > until + 2.5)
            s.sendall(struct.pack(">ihhih", 14, 3, 1, 9, -1) + struct.pack(">i", 0))
            assert is_closed(s)


def call(s, key, version, body):
    s.sendall(struct.pack(">ihhih", 10 + len(body), key, version, 1, -1) + body)
    size, = struct.unpack(">i", receive(s, 4))
    return receive(s, size)[4:]


def is_closed(s):
    try:
        return s.recv(100) == b""
    except ConnectionResetError:
        return True


def receive(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            raise ConnectionError("closed")
        got += part
    return got


def test_old_handshake_with_raw_tokens(secure):
    host, port = secure.at["SASL"].split(":")
    with socket.create_connection((host, int(port))) as s:
        assert call(s, 17, 0, struct.pack(">h", 5) + b"PLAIN")[:2] == b"\0\0"
        token = b"\0alice\0alice-secret"
        s.sendall(struct.pack(">i", len(token)) + token)
        assert receive(s, 4) == b"\0\0\0\0"
        assert call(s, 3, 1, struct.pack(">i", 0))
    with socket.create_connection((host, int(port))) as s:
        call(s, 17, 0, struct.pack(">h", 5) + b"PLAIN")
        s.sendall(struct.pack(">i", 4) + b"\0a\0b")
        assert is_closed(s)


def test_large_frames_before_authentication(secure):
    host, port = secure.at["SASL"].split(":")
    with socket.create_connection((host, int(port))) as s:
        s.sendall(struct.pack(">ihh", 600000, 17, 1))
        assert is_closed(s)


# --- SCRAM credentials -------------------------------------------------------------------------------


def test_scram_credentials_survive_and_go(certs):
    with SecureWeir({"PLAINTEXT": "PLAINTEXT", "SASL": "SASL_PLAINTEXT"}, {"sasl.enabled.mechanisms": "SCRAM-SHA-512"}) as w:
        set_password(w, "alice", "scram-secret", 8192)
        admin = AdminClient({"bootstrap.servers": w.at["PLAINTEXT"]})
        found = admin.describe_user_scram_credentials(["alice"])["alice"].result(20)
        assert {(i.mechanism, i.iterations) for i in found.scram_credential_infos} == {
            (ScramMechanism.SCRAM_SHA_256, 8192), (ScramMechanism.SCRAM_SHA_512, 8192)}
        w.kill()
        w.start()
        round_trip(w.at["SASL"], confluent(certs, "SASL", "SCRAM-SHA-512"), "kept", count=3)
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            admin.alter_user_scram_credentials([UserScramCredentialDeletion("alice", mechanism)])["alice"].result(20)
        assert "invalid credentials" in errors_of(w.at["SASL"], confluent(certs, "SASL", "SCRAM-SHA-512"))
        with pytest.raises(Exception) as failure:
            admin.describe_user_scram_credentials(["alice"])["alice"].result(20)
        assert failure.value.args[0].code() == KafkaError.RESOURCE_NOT_FOUND


def test_certificates_that_are_renewed(tmp_path):
    """New connections get what the files hold now; open ones go on; files that make no sense change nothing."""
    certs = Certificates(tmp_path)
    with SecureWeir({"TLS": "SSL"}, {"ssl.keystore.location": certs.path("server.pem")}) as w:
        context = ssl.create_default_context(cafile=certs.path("ca.pem"))
        host, port = w.at["TLS"].split(":")

        def connect():
            return context.wrap_socket(socket.create_connection((host, int(port)), timeout=20), server_hostname="localhost")

        def serial():
            with connect() as s:
                return s.getpeercert()["serialNumber"]

        def answers(s):
            s.sendall(struct.pack(">ihhih", 10, 18, 0, 7, -1))
            size, = struct.unpack(">i", s.recv(4))
            return size > 10 and len(s.recv(size)) > 0
        first = serial()
        with connect() as held:
            assert answers(held)
            certs.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
            with open(certs.path("renewed.pem"), "w") as f:
                f.write(open(certs.path("server.key")).read() + open(certs.path("server.crt")).read())
            os.replace(certs.path("renewed.pem"), certs.path("server.pem"))
            wait_until(lambda: serial() != first, 30)
            second = serial()
            with open(certs.path("server.pem"), "w") as f:
                f.write("no certificate")
            wait_until(lambda: serial() == second and "cannot be used" in w.log(), 30)
            assert answers(held)
            # a file that was looked at while it was being written: what it holds then has the same size and time
            certs.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
            whole = open(certs.path("server.key")).read() + open(certs.path("server.crt")).read()

            def write(text):
                with open(certs.path("server.pem"), "r+") as f:
                    f.truncate(len(whole))
                    f.write(text)
                os.utime(certs.path("server.pem"), (1700000000, 1700000000))
            write("\n" * len(whole))
            wait_until(lambda: serial() == second and w.log().count("cannot be used") == 2, 30)
            write(whole)
            wait_until(lambda: serial() not in (first, second), 30)
            assert w.log().count("cannot be used") == 2
            third = serial()
            os.remove(certs.path("server.pem"))
            wait_until(lambda: serial() == third and w.log().count("cannot be used") == 3, 30)
