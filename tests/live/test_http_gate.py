"""A web page from elsewhere can neither read nor change anything: SPEC web-ui 9.2."""
import http.client

import pytest


def call(weir, which, headers, method="GET", path=None):
    connection = http.client.HTTPConnection("127.0.0.1", weir.ports[which], timeout=10)
    connection.putrequest(method, path or {"connect": "/connectors", "web": "/api/clusters"}[which], skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("which", ["connect", "web"])
def test_host_must_be_this_machine(weir, which):
    port = weir.ports[which]
    for good in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert call(weir, which, {"Host": good})[0].status == 200, good
    for evil in ("evil.example", f"evil.example:{port}", "localhost.evil.example", f"127.0.0.1.evil.example:{port}", "localhost@evil.example"):
        answer, body = call(weir, which, {"Host": evil})
        assert answer.status == 403, evil
        assert not answer.getheader("Access-Control-Allow-Origin")


EVIL = ("http://evil.example", "https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1:1")


@pytest.mark.parametrize("which", ["connect", "web"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_another_site_changes_nothing(weir, which, method):
    port = weir.ports[which]
    path = {"connect": "/connectors/x", "web": "/api/clusters/local/topics/x"}[which]
    for origin in EVIL:
        answer, _ = call(weir, which, {"Host": f"localhost:{port}", "Origin": origin}, method, path)
        assert answer.status == 403, (origin, answer.status)
        assert not answer.getheader("Access-Control-Allow-Origin")
    answer, _ = call(weir, which, {"Host": f"localhost:{port}", "Sec-Fetch-Site": "cross-site"}, method, path)
    assert answer.status == 403


@pytest.mark.parametrize("which", ["connect", "web"])
def test_another_site_reads_nothing(weir, which):
    """A browser hands an answer to a page of another origin only when the answer says so; it never does."""
    port = weir.ports[which]
    for origin in EVIL:
        answer, _ = call(weir, which, {"Host": f"localhost:{port}", "Origin": origin})
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        preflight, _ = call(weir, which, {"Host": f"localhost:{port}", "Origin": origin, "Access-Control-Request-Method": "PUT"}, "OPTIONS")
        for a in (answer, preflight):
            assert not [h for h in a.headers if h.lower().startswith("access-control-")], a.headers


@pytest.mark.parametrize("which", ["connect", "web"])
def test_own_origin_is_welcome(weir, which):
    port = weir.ports[which]
    assert call(weir, which, {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"})[0].status == 200
