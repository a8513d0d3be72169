"""Kafka's own tools and clients (Java) on secured listeners, as people type them. SPEC: broker 11.2-11.6"""
import pytest
from secure import OAUTH_JAAS, PLAIN_JAAS, Certificates, SecureWeir, run
from kafka_tools import KafkaTools


@pytest.fixture(scope="module")
def tools():
    with KafkaTools() as t:
        yield t


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    certs = Certificates(tmp_path_factory.mktemp("java"))
    with SecureWeir({"PLAINTEXT": "PLAINTEXT", "BOTH": "SASL_SSL", "TLS": "SSL"},
                    {"ssl.keystore.location": certs.path("server.pem"), "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
                     "listener.name.both.plain.sasl.jaas.config": PLAIN_JAAS, "listener.name.both.oauthbearer.sasl.jaas.config": OAUTH_JAAS,
                     "connections.max.reauth.ms": "3000",
                     "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                     "super.users": "User:ANONYMOUS;User:admin"}) as w:
        w.certs = certs
        yield w


def java(tools, w, listener, name, *arguments, properties=None, stdin=None, check=True):
    command = [f"{tools.bin}/{name}.sh", "--bootstrap-server", w.at[listener], *arguments]
    if properties is not None:
        path = f"{tools.bin}/client-{abs(hash(str(properties)))}.properties"
        with open(path, "w") as f:
            f.write("".join(f"{key}={value}\n" for key, value in properties.items()))
        command += [{"kafka-console-producer": "--producer.config", "kafka-console-consumer": "--consumer.config"}.get(name, "--command-config"),
                    path]
    return run(command, stdin, timeout=120, check=check)


def secured(w, protocol, mechanism=None, user="admin", password=None):
    options = {"security.protocol": protocol, "ssl.truststore.type": "PEM", "ssl.truststore.location": w.certs.path("ca.pem")}
    if mechanism == "OAUTHBEARER":
        options.update({"sasl.mechanism": mechanism, "sasl.jaas.config": OAUTH_JAAS,
                        "sasl.login.callback.handler.class":
                            "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler"})
    elif mechanism:
        module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
        options.update({"sasl.mechanism": mechanism, "sasl.jaas.config":
                        f'org.apache.kafka.common.security.{module} required username="{user}" password="{password or user + "-secret"}";'})
    return options


def test_tls(tools, guarded):
    assert java(tools, guarded, "TLS", "kafka-topics", "--list", properties=secured(guarded, "SSL")).returncode == 0


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"])
def test_mechanisms(tools, guarded, mechanism):
    if mechanism.startswith("SCRAM"):
        out = java(tools, guarded, "PLAINTEXT", "kafka-configs", "--alter", "--add-config", f"{mechanism}=[password=admin-secret]",
                   "--entity-type", "users", "--entity-name", "admin").stdout
        assert "Completed updating config for user admin." in out
    options = secured(guarded, "SASL_SSL", mechanism)
    topic = f"java-{mechanism}"
    assert java(tools, guarded, "BOTH", "kafka-topics", "--create", "--topic", topic, properties=options).stdout == f"Created topic {topic}.\n"
    java(tools, guarded, "BOTH", "kafka-console-producer", "--topic", topic, properties=options, stdin="one\ntwo\n")
    got = java(tools, guarded, "BOTH", "kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "2", "--timeout-ms",
               "30000", properties=options).stdout
    assert got == "one\ntwo\n"


def test_wrong_password(tools, guarded):
    done = java(tools, guarded, "BOTH", "kafka-topics", "--list", properties=secured(guarded, "SASL_SSL", "PLAIN", password="wrong"), check=False)
    assert done.returncode != 0 and "Authentication failed: Invalid username or password" in done.stdout + done.stderr


def test_acls(tools, guarded):
    def acls(*arguments):
        return java(tools, guarded, "PLAINTEXT", "kafka-acls", *arguments).stdout
    out = acls("--add", "--allow-principal", "User:alice", "--operation", "Read", "--operation", "Describe", "--topic", "test", "--group", "g")
    assert "Adding ACLs for resource `ResourcePattern(resourceType=TOPIC, name=test, patternType=LITERAL)`: \n" in out
    assert "\t(principal=User:alice, host=*, operation=READ, permissionType=ALLOW)\n" in out
    out = acls("--list", "--topic", "test")
    assert out.startswith("Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=test, patternType=LITERAL)`:")
    alice = secured(guarded, "SASL_SSL", "PLAIN", "alice")
    java(tools, guarded, "PLAINTEXT", "kafka-topics", "--create", "--topic", "test")
    assert java(tools, guarded, "BOTH", "kafka-topics", "--list", properties=alice).stdout == "test\n"
    refused = java(tools, guarded, "BOTH", "kafka-topics", "--delete", "--topic", "test", properties=alice, check=False)
    assert refused.returncode != 0 and "TopicAuthorizationException" in refused.stdout + refused.stderr
    acls("--remove", "--force", "--topic", "test")
    acls("--remove", "--force", "--group", "g")
    assert acls("--list").strip() == ""


def test_quotas(tools, guarded):
    def configs(*arguments):
        return java(tools, guarded, "PLAINTEXT", "kafka-configs", *arguments).stdout
    configs("--alter", "--add-config", "producer_byte_rate=1048576,request_percentage=50.5", "--entity-type", "users", "--entity-name", "bob")
    configs("--alter", "--add-config", "consumer_byte_rate=2048", "--entity-type", "clients", "--entity-default")
    configs("--alter", "--add-config", "connection_creation_rate=7", "--entity-type", "ips", "--entity-name", "10.1.2.3")
    out = configs("--describe", "--entity-type", "users", "--entity-name", "bob")
    assert out.startswith("Quota configs for user-principal 'bob' are ")
    assert sorted(out.strip().rsplit(" are ", 1)[1].split(", ")) == ["producer_byte_rate=1048576.0", "request_percentage=50.5"]
    assert configs("--describe", "--entity-type", "clients") == "Quota configs for the default client-id are consumer_byte_rate=2048.0\n"
    assert configs("--describe", "--entity-type", "ips") == "Quota configs for ip '10.1.2.3' are connection_creation_rate=7.0\n"


def test_passwords(tools, guarded):
    def configs(*arguments, check=True):
        done = java(tools, guarded, "PLAINTEXT", "kafka-configs", *arguments, "--entity-type", "users", "--entity-name", "carol", check=check)
        return done.stdout + done.stderr
    configs("--alter", "--add-config", "SCRAM-SHA-256=[iterations=8192,password=carol-secret],SCRAM-SHA-512=[password=carol-secret]")
    assert configs("--describe") == ("SCRAM credential configs for user-principal 'carol' are SCRAM-SHA-256=iterations=8192, "
                                     "SCRAM-SHA-512=iterations=4096\n")
    configs("--alter", "--delete-config", "SCRAM-SHA-256")
    assert configs("--describe") == "SCRAM credential configs for user-principal 'carol' are SCRAM-SHA-512=iterations=4096\n"
    assert "Attempt to delete a user credential that does not exist" in configs("--alter", "--delete-config", "SCRAM-SHA-256", check=False)
    assert "carol-secret" not in guarded.log()
