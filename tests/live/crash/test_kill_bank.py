"""Bank transfers: orders are consumed, booked and committed in transactions while weir and the tellers are killed. A reader of
committed data sees every order booked once, and money neither appears nor vanishes, at any time. ROUNDS says how often."""
import collections
import os
import random
import subprocess
import sys
import time

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka_io import producer
from weirproc import Weir, wait_until

TELLERS, ACCOUNTS, PARTITIONS = 2, 7, 3
BANK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bank.py")


class Teller:
    def __init__(self, weir, name):
        self.weir, self.name = weir, name
        self.log = open(os.path.join(weir.dir, f"teller{name}.log"), "ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.executable, BANK, self.weir.bootstrap, self.name], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def keep_going(self):
        if self.process.poll() is not None:
            self.start()


def committed(weir):
    """All bookings that a reader of committed data sees now: (account, amount)."""
    c = Consumer({"bootstrap.servers": weir.bootstrap, "group.id": "auditor", "isolation.level": "read_committed", "enable.auto.commit": False,
                  "auto.offset.reset": "earliest", "enable.partition.eof": True, "log_level": 0})
    out, left = [], set(range(PARTITIONS))
    until = time.monotonic() + 60
    try:
        c.assign([TopicPartition("bookings", p, 0) for p in left])
        while left and time.monotonic() < until:
            m = c.poll(0.2)
            if m is None:
                continue
            if m.error():
                if m.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(m.partition())
            else:
                out.append((int(m.key()), int(m.value())))
        assert not left, f"partitions {left} were not read to their ends"
        return out
    finally:
        c.close()


def order(weir, count, total):
    """New orders; what they change is added to total."""
    p = producer(weir.bootstrap, enable_idempotence=True)
    for _ in range(count):
        source, target, amount = random.randrange(ACCOUNTS), random.randrange(ACCOUNTS), random.randint(1, 100)
        total[source] -= amount
        total[target] += amount
        p.produce("orders", f"{source} {target} {amount}", partition=random.randrange(PARTITIONS))
    assert p.flush(60) == 0


def balances(bookings):
    out = collections.Counter()
    for account, amount in bookings:
        out[account] += amount
    return out


def run(rounds, orders):
    total, ordered = collections.Counter(), 0
    with Weir() as w:
        admin = AdminClient({"bootstrap.servers": w.bootstrap})
        for f in admin.create_topics([NewTopic(t, PARTITIONS, 1) for t in ("orders", "bookings")]).values():
            f.result(10)
        tellers = [Teller(w, str(i)) for i in range(TELLERS)]
        try:
            for _ in range(rounds):
                order(w, orders, total)
                ordered += orders
                time.sleep(random.uniform(0.1, 1))
                if random.random() < 0.6:
                    w.kill()
                    w.start()
                if random.random() < 0.6:
                    random.choice(tellers).kill()
                for t in tellers:
                    t.keep_going()
                bookings = committed(w)  # in the middle of it all: whole transactions alone
                assert len(bookings) <= 2 * ordered
            wait_until(lambda: [t.keep_going() for t in tellers] and len(committed(w)) >= 2 * ordered, 180, 1)
            bookings = committed(w)
            assert len(bookings) == 2 * ordered, "an order was booked twice"
            assert balances(bookings) == total
            assert sum(balances(bookings).values()) == 0
        except AssertionError:
            for t in tellers:
                print(f"--- teller {t.name}\n" + open(t.log.name).read()[-3000:])
            raise
        finally:
            for t in tellers:
                t.kill()
        print(f"{rounds} rounds, {ordered} orders")


@pytest.mark.timeout(600)
def test_money_stays_the_same():
    run(6, 60)


@pytest.mark.torture
@pytest.mark.timeout(36000)
def test_money_stays_the_same_for_long():
    run(max(20, int(os.environ.get("ROUNDS", "50")) * 2 // 5), 100)
