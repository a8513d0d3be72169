"""Access control lists with the clients that people use. SPEC: broker 11.5"""
import time

import pytest
from secure import PLAIN_JAAS, Certificates, SecureWeir, missing
from weirproc import wait_until

try:
    from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
    from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ConfigResource, NewTopic, \
        ResourcePatternType, ResourceType
except ImportError:
    AdminClient = None

AUTHORIZER = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:admin;User:ANONYMOUS"}


@pytest.fixture(autouse=True)
def installed():
    if AdminClient is None:
        missing("confluent-kafka")


@pytest.fixture
def guarded():
    with SecureWeir({"PLAINTEXT": "PLAINTEXT", "SASL": "SASL_PLAINTEXT"},
                    {**AUTHORIZER, "sasl.enabled.mechanisms": "PLAIN", "listener.name.sasl.plain.sasl.jaas.config": PLAIN_JAAS}) as w:
        yield w


def user(w, name):
    return {"bootstrap.servers": w.at["SASL"], "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": name,
            "sasl.password": f"{name}-secret"}


def admin_of(w, name):
    """A client that lives as long as the test's weir: a future of one that is gone never comes true."""
    clients = w.__dict__.setdefault("admins", {})
    if name not in clients:
        clients[name] = AdminClient(user(w, name))
    return clients[name]


def allow(w, resource, name, operation, principal="User:alice", pattern="LITERAL", permission="ALLOW"):
    binding = AclBinding(ResourceType[resource], name, ResourcePatternType[pattern], principal, "*", AclOperation[operation],
                         AclPermissionType[permission])
    admin = admin_of(w, "admin")
    admin.create_acls([binding])[binding].result(20)
    return binding


def create(w, *names, by="admin"):
    admin = admin_of(w, by)
    return {name: future.exception(20) for name, future in admin.create_topics([NewTopic(n, 1) for n in names]).items()}


def code(exception):
    return exception.args[0].code()


def produce(w, topic, by="alice", **options):
    """The error of one record, or None."""
    result = []
    producer = Producer({**user(w, by), "message.timeout.ms": 10000, **options})
    producer.produce(topic, b"x", on_delivery=lambda e, m: result.append(e))
    producer.flush(20)
    return result[0].code() if result[0] else None


def consume(w, topic, group="g", by="alice"):
    """What the first poll with news brings: a value or an error code."""
    consumer = Consumer({**user(w, by), "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    until = time.monotonic() + 20
    try:
        while time.monotonic() < until:
            m = consumer.poll(1)
            if m:
                return m.error().code() if m.error() else m.value()
    finally:
        consumer.close()
    return None


def test_produce_and_consume(guarded):
    w = guarded
    assert create(w, "t") == {"t": None}
    assert produce(w, "t") == KafkaError.TOPIC_AUTHORIZATION_FAILED
    allow(w, "TOPIC", "t", "WRITE")
    assert produce(w, "t") is None
    assert produce(w, "t", **{"enable.idempotence": True}) is None
    assert consume(w, "t") in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
    allow(w, "TOPIC", "t", "READ")
    assert consume(w, "t") == KafkaError.GROUP_AUTHORIZATION_FAILED
    allow(w, "GROUP", "g", "READ", pattern="PREFIXED")
    assert consume(w, "t", "g1") == b"x"
    allow(w, "TOPIC", "*", "WRITE", permission="DENY")
    assert produce(w, "t") == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert produce(w, "t", by="admin") is None


def test_topics_without_describe_are_hidden(guarded):
    w = guarded
    create(w, "seen", "unseen")
    allow(w, "TOPIC", "seen", "DESCRIBE")
    metadata = admin_of(w, "alice").list_topics(timeout=20)
    assert set(metadata.topics) == {"seen"}
    named = admin_of(w, "alice").list_topics("unseen", timeout=20)
    assert named.topics["unseen"].error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert code(create(w, "new", by="alice")["new"]) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    allow(w, "TOPIC", "new", "CREATE")
    assert create(w, "new", by="alice") == {"new": None}
    failure = list(admin_of(w, "alice").delete_topics(["seen"]).values())[0].exception(20)
    assert code(failure) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_revoked_while_fetching(guarded):
    """A fetch session does not outlive the right to read."""
    w = guarded
    create(w, "t")
    write = allow(w, "TOPIC", "t", "WRITE")
    read = allow(w, "TOPIC", "t", "READ")
    consumer = Consumer({**user(w, "alice"), "group.id": "any", "enable.auto.commit": False})
    consumer.assign([TopicPartition("t", 0, 0)])
    produce(w, "t")
    wait_until(lambda: (m := consumer.poll(1)) and m.value() == b"x")
    admin = admin_of(w, "admin")
    for binding in (read, write):
        f = AclBindingFilter(binding.restype, binding.name, binding.resource_pattern_type, binding.principal, None, AclOperation.ANY,
                             AclPermissionType.ANY)
        admin.delete_acls([f])[f].result(20)
    produce(w, "t", by="admin")

    def refused():  # what waited at the broker was asked for with the right to it
        m = consumer.poll(1)
        return m and m.error() and m.error().code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    wait_until(refused)
    consumer.close()


def test_lists_are_kept_and_described(guarded):
    w = guarded
    allow(w, "TOPIC", "a", "READ")
    allow(w, "TOPIC", "a", "READ")  # once is enough
    allow(w, "TOPIC", "b", "ALL", pattern="PREFIXED")
    w.kill()
    w.start()
    admin = admin_of(w, "admin")
    everything = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
    found = admin.describe_acls(everything).result(20)
    assert {(b.name, b.operation, b.resource_pattern_type) for b in found} == {
        ("a", AclOperation.READ, ResourcePatternType.LITERAL), ("b", AclOperation.ALL, ResourcePatternType.PREFIXED)}
    match = AclBindingFilter(ResourceType.TOPIC, "bcd", ResourcePatternType.MATCH, None, None, AclOperation.ANY, AclPermissionType.ANY)
    assert [b.name for b in admin.delete_acls([match])[match].result(20)] == ["b"]
    assert [b.name for b in admin.describe_acls(everything).result(20)] == ["a"]
    assert admin_of(w, "alice").describe_acls(everything).result(20) == []  # librdkafka takes the error for an empty list


def test_cluster_operations(guarded):
    w = guarded
    with pytest.raises(KafkaException) as failure:
        list(admin_of(w, "alice").describe_configs([ConfigResource("broker", "1")]).values())[0].result(20)
    assert code(failure.value) == KafkaError.CLUSTER_AUTHORIZATION_FAILED
    operations = admin_of(w, "alice").describe_cluster(include_authorized_operations=True).result(20).authorized_operations
    assert not operations
    allow(w, "BROKER", "kafka-cluster", "DESCRIBE")
    operations = admin_of(w, "alice").describe_cluster(include_authorized_operations=True).result(20).authorized_operations
    assert operations == [AclOperation.DESCRIBE]


def test_certificates_are_principals(tmp_path):
    certs = Certificates(tmp_path)
    with SecureWeir({"PLAINTEXT": "PLAINTEXT", "TLS": "SSL", "MAPPED": "SSL"},
                    {**AUTHORIZER, "ssl.keystore.location": certs.path("server.p12"), "ssl.keystore.password": "store-secret",
                     "ssl.truststore.location": certs.path("ca.pem"), "ssl.client.auth": "required",
                     "listener.name.mapped.ssl.principal.mapping.rules": "RULE:^CN=(.*?),.*$/$1/U,DEFAULT"}) as w:
        own = {"security.protocol": "SSL", "ssl.ca.location": certs.path("ca.pem"), "ssl.certificate.location": certs.path("client.crt"),
               "ssl.key.location": certs.path("client.key")}
        admin = AdminClient({"bootstrap.servers": w.at["PLAINTEXT"]})
        list(admin.create_topics([NewTopic("dn", 1), NewTopic("mapped", 1)]).values())[0].result(20)
        for topic, principal in (("dn", "User:CN=alice,OU=People,O=Example"), ("mapped", "User:ALICE")):
            b = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, principal, "*", AclOperation.DESCRIBE, AclPermissionType.ALLOW)
            admin.create_acls([b])[b].result(20)
        assert set(AdminClient({"bootstrap.servers": w.at["TLS"], **own}).list_topics(timeout=20).topics) == {"dn"}
