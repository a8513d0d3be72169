"""Short ways to call /api and to read its event streams."""
import http.client
import json
import time
import urllib.parse

C = "/api/clusters/local"


class Stream:
    """GET .../messages/v2, read event by event."""

    def __init__(self, web, path):
        self.connection = http.client.HTTPConnection(web.host, web.port, timeout=30)
        self.connection.request("GET", path)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def lines(self):
        while True:
            line = self.answer.readline()
            if not line:
                return
            yield line

    def events(self):
        """Parsed events; checks the form of each: `data:`, JSON without a space before it, a blank line."""
        lines = self.lines()
        for line in lines:
            if line == b":\n":  # keeps the connection alive
                assert next(lines) == b"\n"
                continue
            assert line.startswith(b"data:{") and line.endswith(b"}\n"), line
            assert next(lines) == b"\n"
            event = json.loads(line[5:])
            assert set(event) == {"type", "message", "phase", "consuming", "cursor"}, event
            yield event

    def close(self):
        self.connection.close()


class Web:
    def __init__(self, weir):
        self.weir = weir
        url = urllib.parse.urlparse(weir.web)
        self.host, self.port = url.hostname, url.port

    def call(self, method, path, body=None, headers=None):
        return self.weir.rest(method, path, body, headers, base=self.weir.web)

    def ok(self, method, path, body=None, status=200):
        got, answer = self.call(method, path, body)
        assert got == status, (got, answer)
        return answer

    def refused(self, method, path, body=None, status=400, code=4002):
        """The error body; its shape is checked."""
        got, answer = self.call(method, path, body)
        assert got == status and answer["code"] == code, (got, answer)
        assert set(answer) == {"code", "message", "timestamp", "requestId", "fieldsErrors", "stackTrace"}, answer
        assert answer["message"] and answer["requestId"] and answer["stackTrace"] is None
        assert abs(answer["timestamp"] - time.time() * 1000) < 60000
        return answer["message"]

    def raw(self, method, path, headers=None):
        """(status, headers, body) without any decoding."""
        c = http.client.HTTPConnection(self.host, self.port, timeout=30)
        c.request(method, path, headers=headers or {})
        answer = c.getresponse()
        body = answer.read()
        c.close()
        return answer.status, answer.headers, body

    def create(self, name, partitions=1, **configs):
        return self.ok("POST", f"{C}/topics", {"name": name, "partitions": partitions, "replicationFactor": 1,
                                               "configs": {k.replace("_", "."): v for k, v in configs.items()}}, 201)

    def produce(self, topic, value, key=None, partition=None, **more):
        return self.ok("POST", f"{C}/topics/{topic}/messages", {"partition": partition, "key": key, "value": value, **more})

    def stream(self, topic, **query):
        return Stream(self, f"{C}/topics/{urllib.parse.quote(topic, safe='')}/messages/v2?" + urllib.parse.urlencode(query, doseq=True))

    def read(self, topic, **query):
        """(messages, last event) of a stream that ends by itself."""
        s = self.stream(topic, **query)
        assert s.status == 200, s.answer.read()
        assert s.answer.headers["Content-Type"] == "text/event-stream;charset=UTF-8"
        events = list(s.events())
        s.close()
        assert events[0]["phase"] == {"name": "Consumer created"}
        assert events[-1]["type"] == "DONE" and [e["type"] for e in events].count("DONE") == 1
        return [e["message"] for e in events if e["type"] == "MESSAGE"], events[-1]

    def at(self, topic, **query):
        """[(partition, offset)] of a stream."""
        return [(m["partition"], m["offset"]) for m in self.read(topic, **query)[0]]
