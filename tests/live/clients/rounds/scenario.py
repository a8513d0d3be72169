"""One round of a Python client against a broker, the same steps as in ../go/main.go: what each program does with
its own library's `Client` (codecs, create, produce, join, committed, close) and `Member` (owned, take, commit, leave)."""
import json
import sys
import time

TOPIC, GROUP, PARTITIONS, BATCH, PATIENCE = "rounds", "rounds-group", 4, 40, 30
PADDING = ":" + "x" * 200


def say(step, **more):
    print(json.dumps({"step": step, **more}), flush=True)


def until(what, done, members=()):
    end = time.monotonic() + PATIENCE
    while not done():
        for m in members:
            m.poll()
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not come within {PATIENCE} s")
        time.sleep(0.02)


def consume(count, *members):
    got = []

    def enough():
        for m in members:
            got.extend(v.removesuffix(PADDING) for v in m.take())
        return len(set(got)) >= count

    until(f"{count} values", enough, members)
    say("consumed", values=got)


def owned(counts, *members):
    found = []

    def shared():
        found[:] = [m.owned() for m in members]
        return [len(parts) for parts in found] == counts

    until(f"shares of {counts} partitions", shared, members)
    say("owned", partitions=found)


def values(name):
    return [f"{name}-{i}{PADDING}" for i in range(BATCH)]


def run(c):
    c.create(TOPIC, PARTITIONS)
    say("created")
    for codec in c.codecs:
        c.produce(TOPIC, codec, values(codec))
        say("produced", codec=codec, count=BATCH)
    a = c.join(TOPIC, GROUP, "a")
    consume(BATCH * len(c.codecs), a)
    owned([4], a)
    a.commit()
    b = c.join(TOPIC, GROUP, "b")
    owned([2, 2], a, b)
    c.produce(TOPIC, "none", values("two"))
    say("produced", codec="none", count=BATCH)
    consume(BATCH, a, b)
    a.commit()
    b.commit()
    b.leave()
    owned([4], a)
    say("restart")
    sys.stdin.readline()
    c.produce(TOPIC, "none", values("after"))
    say("produced", codec="none", count=BATCH)
    consume(BATCH, a)
    a.commit()
    a.leave()
    say("committed", offsets=c.committed(TOPIC, GROUP))
    c.close()
    say("done")
