"""kill -9 between and under REST calls: every connector is afterwards as the user last asked for. What was answered holds; the one call that
got no answer may have happened or not. ROUNDS says how often it is killed."""
import os
import random
import threading
import time

import pytest

from weirproc import Weir, wait_until

ROUNDS = int(os.environ.get("ROUNDS", "12"))
NAMES = [f"c{i}" for i in range(6)]
STATES = {"pause": "PAUSED", "resume": "RUNNING", "stop": "STOPPED"}


class Wish:
    """What one connector should be: configuration, state, offset (of a stopped one)."""

    def __init__(self, config, state):
        self.config, self.state, self.offset, self.had_tasks = config, state, None, state == "RUNNING"

    def copy(self):
        other = Wish(dict(self.config), self.state)
        other.offset, other.had_tasks = self.offset, self.had_tasks
        return other


class User:
    """Calls REST at random. `known`: name -> Wish, as far as answers told; `open`: (name, Wish or None) of a call without an answer yet."""

    def __init__(self, weir, path):
        self.weir, self.path, self.known, self.open, self.calls = weir, path, {}, None, 0

    def config(self, name):
        return {"connector.class": "FileStreamSource", "file": str(self.path), "topic": f"t-{name}", "value.converter": "StringConverter", "name": name}

    def call(self, method, path, body, name, after, good):
        self.open = (name, after)
        status, answer = self.weir.rest(method, path, body)  # raises when it is killed under it
        assert status in good, (method, path, status, answer)
        self.open = None
        self.calls += 1
        if after:
            self.known[name] = after
        else:
            self.known.pop(name, None)

    def step(self):
        name = random.choice(NAMES)
        wish = self.known.get(name)
        if not wish:
            state = random.choice(["RUNNING", "RUNNING", "PAUSED", "STOPPED"])
            body = {"name": name, "config": self.config(name), "initial_state": state}
            return self.call("POST", "/connectors", body, name, Wish(body["config"], state), (201,))
        after, what = wish.copy(), random.choice(["pause", "resume", "stop", "stop", "put", "patch", "delete", "offsets", "restart"])
        if what in STATES:
            after.state = STATES[what]
            after.had_tasks |= what == "resume"
            if what != "stop":
                after.offset = None
            return self.call("PUT", f"/connectors/{name}/{what}", None, name, after, (202, 204))
        if what == "put":
            after.config = {**self.config(name), "batch.size": str(random.randrange(1, 100))}
            return self.call("PUT", f"/connectors/{name}/config", after.config, name, after, (200,))
        if what == "patch":
            after.config["note"] = str(random.random())
            return self.call("PATCH", f"/connectors/{name}/config", {"note": after.config["note"]}, name, after, (200,))
        if what == "delete":
            return self.call("DELETE", f"/connectors/{name}", None, name, None, (204,))
        if what == "restart":
            return self.call("POST", f"/connectors/{name}/restart?includeTasks=true", None, name, after, (202,))
        if wish.state != "STOPPED":
            return None
        after.offset = random.randrange(1, 1000)
        body = {"offsets": [{"partition": {"filename": str(self.path)}, "offset": {"position": after.offset}}]}
        return self.call("PATCH", f"/connectors/{name}/offsets", body, name, after, (200,))

    def run(self):
        try:
            while True:
                self.step()
        except (OSError, AssertionError) as e:
            if isinstance(e, AssertionError) and self.weir.process.poll() is None:
                self.failed = e


def is_as_wished(weir, name, wish):
    status, config = weir.rest("GET", f"/connectors/{name}/config")
    if wish is None:
        return status == 404
    if status != 200 or config != wish.config:
        return False
    body = weir.rest("GET", f"/connectors/{name}/status")[1]
    want = {"RUNNING": ["RUNNING"], "PAUSED": ["PAUSED"] if wish.had_tasks else [], "STOPPED": []}[wish.state]
    if body["connector"]["state"] != wish.state or [t["state"] for t in body["tasks"]] != want:
        return False
    if wish.offset is not None:
        offsets = weir.rest("GET", f"/connectors/{name}/offsets")[1]["offsets"]
        return [o["offset"] for o in offsets] == [{"position": wish.offset}]
    return True


def settle(user):
    """After a restart: all as wished; the open call decided one way or the other, and that is what holds from now on."""
    weir = user.weir
    if user.open:
        name, after = user.open
        before = user.known.get(name)
        wait_until(lambda: is_as_wished(weir, name, before) or is_as_wished(weir, name, after), 60)
        # A restart call leaves the same wish either way; where both could hold the newer one is looked at first.
        now = after if is_as_wished(weir, name, after) else before
        user.known.pop(name, None)
        if now:
            user.known[name] = now
        user.open = None
    for name in NAMES:
        wait_until(lambda n=name: is_as_wished(weir, n, user.known.get(n)), 60)
    assert sorted(weir.rest("GET", "/connectors")[1]) == sorted(user.known)


@pytest.mark.timeout(600)
def test_every_connector_is_as_asked_for(tmp_path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    random.seed(seed)
    source = tmp_path / "in.txt"
    source.write_text("".join(f"line {i}\n" for i in range(200)))
    with Weir() as w:
        user = User(w, source)
        for _ in range(ROUNDS):
            user.failed = None
            thread = threading.Thread(target=user.run)
            thread.start()
            time.sleep(random.uniform(0.05, 0.8))
            w.kill()
            thread.join(60)
            assert not user.failed, user.failed
            w.start()
            settle(user)
        assert user.calls > ROUNDS  # something happened between the kills
        print(f"{ROUNDS} kills, {user.calls} answered calls")
