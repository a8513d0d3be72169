"""A teller of the bank: takes orders of transfers from one topic and books them in another, exactly once.

    bank.py BOOTSTRAP NAME

An order is "FROM TO AMOUNT". Its two bookings and the offset of the order are one transaction. It runs until it is killed, or until
librdkafka (seen with 2.16) forgets to go on with send_offsets_to_transaction after its connection was lost: then it ends by SIGALRM."""
import signal
import sys

from confluent_kafka import Consumer, KafkaException, Producer


PATIENCE = 10  # seconds


def work(bootstrap, name):
    common = {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 200}
    producer = Producer({**common, "transactional.id": f"teller-{name}", "transaction.timeout.ms": 60000})
    producer.init_transactions(60)
    # requires that the group's offsets are stable: a successor does not read on before the transaction of the dead is over
    consumer = Consumer({**common, "group.id": "tellers", "group.instance.id": name, "session.timeout.ms": 6000, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    consumer.subscribe(["orders"])
    while True:
        signal.alarm(PATIENCE)
        orders = [m for m in consumer.consume(20, 0.2) if m.error() is None]
        if not orders:
            continue
        producer.begin_transaction()
        for m in orders:
            source, target, amount = m.value().decode().split()
            producer.produce("bookings", f"-{amount}", key=source, partition=int(source) % 3)
            producer.produce("bookings", amount, key=target, partition=int(target) % 3)
        producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 60)
        producer.commit_transaction(60)


while True:
    try:
        work(*sys.argv[1:])
    except KafkaException as e:  # whatever it was: begin anew, with the offsets that were committed
        print(e, file=sys.stderr, flush=True)
