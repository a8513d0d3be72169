"""What weir says about an advertised address that clients do not reach, and listeners of several names."""
import contextlib
import re

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from weirproc import Weir, free_port, wait_until


def test_a_client_that_never_arrives_is_explained():
    with Weir("--set", f"advertised.listeners=PLAINTEXT://127.0.0.1:{free_port()}") as weir:
        port, listening = weir.ports["kafka"], bound_port(weir)  # the banner names the advertised address
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{listening}", "topic.metadata.refresh.fast.interval.ms": 100,
                             "topic.metadata.refresh.interval.ms": 200, "message.timeout.ms": 60000})
        producer.produce("t", b"x")

        def explained():
            with contextlib.suppress(KafkaException):  # which asks the address that nobody listens on, or the one it came by
                producer.list_topics("t", timeout=5)  # asks, as a client does that got nowhere
            return "never comes there" in weir.log()
        wait_until(explained, 40, 0.2)
        line = re.search(r"the client at 127\.0\.0\.1 keeps asking .* told 127\.0\.0\.1:(\d+),", weir.log())
        assert line and int(line[1]) == port, weir.log()[-2000:]
        producer.purge()
        producer.flush(5)


def bound_port(weir):
    """The port that weir really listens on, from its configuration as clients see it."""
    configs = weir.rest("GET", "/api/clusters/local/brokers/1/configs", base=weir.web)[1]
    listeners = next(c["value"] for c in configs if c["name"] == "listeners")
    return int(listeners.rsplit(":", 1)[1])


def test_listeners_of_two_names():
    internal, external = free_port(), free_port()
    with Weir("--set", f"listeners=INTERNAL://127.0.0.1:{internal},EXTERNAL://127.0.0.1:{external}",
              "--set", f"advertised.listeners=INTERNAL://127.0.0.1:{internal},EXTERNAL://localhost:{external}",
              "--set", "listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT",
              "--set", "inter.broker.listener.name=INTERNAL") as weir:
        for port, host in ((internal, "127.0.0.1"), (external, "localhost")):
            brokers = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"}).list_topics(timeout=10).brokers
            assert [(b.host, b.port) for b in brokers.values()] == [(host, port)]
        assert re.search(rf"EXTERNAL +broker 1 on 127\.0\.0\.1:{external} as localhost:{external}", open(f"{weir.dir}/weir.out").read())
