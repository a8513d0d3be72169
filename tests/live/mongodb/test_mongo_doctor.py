"""What is wrong with a cluster is said at once, with the command that cures it: at validation, at POST, as the error of a
task, by `weir doctor`. Each case is a real server in that state."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time

import pymongo
import pytest

from databases import missing
from kafka_io import events
from mongo import mongo
from weirproc import BINARY, Weir, free_port, wait_until

CLASS = "io.debezium.connector.mongodb.MongoDbConnector"


@pytest.fixture(scope="module")
def weir():
    with Weir() as w:
        yield w


@pytest.fixture(scope="module")
def healthy():
    with mongo() as db:
        yield db


def validate(weir, uri, **extra):
    """The errors of a validation, which must come within five seconds."""
    config = {"connector.class": CLASS, "name": "x", "topic.prefix": "x", "mongodb.connection.string": uri,
              **{k.replace("_", "."): str(v) for k, v in extra.items()}}
    began = time.monotonic()
    status, answer = weir.rest("PUT", f"/connector-plugins/{CLASS}/config/validate", config)
    assert status == 200 and time.monotonic() - began < 5, (time.monotonic() - began, answer)
    return [e for c in answer["configs"] for e in c["value"]["errors"]]


def one(weir, uri, **extra):
    errors = validate(weir, uri, **extra)
    assert len(errors) == 1, errors
    return errors[0]


def post(weir, uri, **extra):
    """The text of the refusal by POST."""
    config = {"connector.class": CLASS, "topic.prefix": "x", "mongodb.connection.string": uri, **{k.replace("_", "."): str(v) for k, v in extra.items()}}
    status, answer = weir.rest("POST", "/connectors", {"name": "refused", "config": config})
    assert status == 400, answer
    return answer["message"]


@contextlib.contextmanager
def uninitiated(*options, name="rs0"):
    """A server that was started with --replSet and never initiated."""
    with mongo("mongodb-alone", ("--replSet", name, *options)) as db:
        yield db


def direct(db, **options):
    return pymongo.MongoClient("127.0.0.1", db.port, directConnection=True, serverSelectionTimeoutMS=20000, **options)


def initiate(client, host, name="rs0"):
    client.admin.command("replSetInitiate", {"_id": name, "members": [{"_id": 0, "host": host}]})
    wait_until(lambda: client.admin.command("hello")["isWritablePrimary"], 30)


# --- nothing to talk to --------------------------------------------------------------------------


def test_nobody_answers(weir):
    port = free_port()
    text = one(weir, f"mongodb://127.0.0.1:{port}/?replicaSet=rs0")
    assert text.startswith(f"Unable to connect: no MongoDB server answers at 127.0.0.1:{port} (Connection refused)\n"), text
    assert text in post(weir, f"mongodb://127.0.0.1:{port}/?replicaSet=rs0")
    text = one(weir, "mongodb://a.invalid:27017,b.invalid/?replicaSet=rs0")
    assert "a.invalid:27017 (the name is not known here), b.invalid:27017 (the name is not known here)\n" in text and "/etc/hosts" in text, text


def test_a_port_that_swallows_everything(weir):
    """Packets that get no answer at all: a listening socket whose queue is full."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for f in fillers:
            f.setblocking(False)
            f.connect_ex(s.getsockname())
        text = one(weir, f"mongodb://127.0.0.1:{s.getsockname()[1]}/?replicaSet=rs0")
        assert "no MongoDB server answers at" in text, text
        for f in fillers:
            f.close()


def test_other_servers(weir, mariadb):
    text = one(weir, weir.connect.replace("http://", "mongodb://") + "/")
    assert "this is not a MongoDB server: at 127.0.0.1:" in text and "answers a web server (HTTP)\n" in text, text
    text = one(weir, f"mongodb://{weir.bootstrap}/?replicaSet=rs0")
    assert f"this is not a MongoDB server: at {weir.bootstrap} answers Kafka\n" in text, text
    text = one(weir, f"mongodb://127.0.0.1:{mariadb.port}/?replicaSet=rs0")
    assert f"this is not a MongoDB server: at 127.0.0.1:{mariadb.port} answers M" in text, text


# --- no replica set, or another one --------------------------------------------------------------


def test_standalone(weir):
    with mongo("mongodb-alone") as db:
        for uri in (f"mongodb://127.0.0.1:{db.port}/?replicaSet=shop", f"mongodb://127.0.0.1:{db.port}"):
            name = "shop" if "shop" in uri else "rs0"
            text = one(weir, uri)
            assert text == (f"Unable to connect: the server at 127.0.0.1:{db.port} is standalone: change streams need a replica set, and one "
                            f"member is enough: stop it, start it again as before and with --replSet, then initiate the set in mongosh\n"
                            f"mongod --replSet {name} --bind_ip_all --port {db.port} --dbpath <as before>\n"
                            f'rs.initiate({{_id:"{name}",members:[{{_id:0,host:"127.0.0.1:{db.port}"}}]}})'), text
            assert text in post(weir, uri)
        page = " ".join(doctor(f"mysql://u:p@127.0.0.1:{db.port}/")[1].split())
        assert f"something takes connections at 127.0.0.1:{db.port} and does not greet as MySQL and MariaDB do" in page and "not started" not in page, page


def test_not_initiated(weir):
    with uninitiated(name="shop") as db:
        uri = f"mongodb://127.0.0.1:{db.port}/?replicaSet=shop"
        text = one(weir, uri)
        assert "was started with --replSet and never initiated\n" in text, text
        cure = re.search(r'rs\.initiate\(\{_id:"(.*)",members:\[\{_id:0,host:"(.*)"\}\]\}\)$', text)
        assert "never initiated" in one(weir, f"mongodb://127.0.0.1:{db.port}/")
        with direct(db) as client:
            initiate(client, cure[2], cure[1])
        assert validate(weir, uri) == []


def test_auto_initiate(weir):
    with uninitiated(name="own") as db:
        for uri in (f"mongodb://127.0.0.1:{db.port}/", f"mongodb://127.0.0.1:{db.port}/?replicaSet=own"):
            assert validate(weir, uri, weir_mongodb_auto_initiate="true") == []
        with direct(db) as client:
            assert client.admin.command("hello")["setName"] == "own"
        assert weir.log().count("(weir.mongodb.auto.initiate)") == 1


def test_another_set(weir, healthy):
    text = one(weir, f"mongodb://u:p@127.0.0.1:{healthy.port}/?replicaSet=other")
    assert text == (f'Unable to connect: the replica set at 127.0.0.1:{healthy.port} is called "rs0", the connection string asks for "other"\n'
                    f"mongodb://USER:PASSWORD@127.0.0.1:{healthy.port}/?replicaSet=rs0"), text


def test_no_set_is_named(weir, healthy):
    assert validate(weir, f"mongodb://127.0.0.1:{healthy.port}") == []
    assert "Replica set not specified in connection string for REPLICA_SET cluster." in weir.log()
    assert validate(weir, f"mongodb://127.0.0.1:{healthy.port}/?directConnection=true") == []


@pytest.mark.timeout(240)
def test_no_primary(weir):
    """One member of three is left: it can be no primary. The connector is taken, and begins when the others come back."""
    with mongo("mongodb3") as db:
        with db.client(w="majority") as client:
            client.shop.t.insert_one({"_id": 1})
        db.kill(1)
        db.kill(2)
        wait_until(lambda: db.primary() is None, 60)
        assert validate(weir, db.uri()) == []
        assert 'the replica set "rs0" has no primary now (' in weir.log()
        status, page = doctor(db.uri())
        assert status == 0, page  # since the connector is taken
        page = " ".join(page.split())
        assert f"127.0.0.1:{db.port}: secondary" in page and f"127.0.0.1:{db.port + 1}: Connection refused" in page and "rs.status()" in page, page
        weir.create_connector("waits", {**db.connector("waits", database_include_list="shop"), "retriable.restart.connector.wait.ms": "1000"})
        db.start_member(1)
        db.wait_primary()
        assert events(weir.bootstrap, "waits.shop.t", 1, timeout=90)[0][1]["op"] == "r"
        weir.rest("DELETE", "/connectors/waits")


# --- names that lead nowhere ---------------------------------------------------------------------


@contextlib.contextmanager
def named(tmp_path, host):
    """A replica set of one whose member goes by a name that only its own machine knows, as in a container."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        missing("a hosts file of mongod's own needs root and unshare")
    with mongo("mongodb-alone") as db:
        command = [*db.commands[0], "--replSet", "rs0"]
        db.kill()
        hosts = tmp_path / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {host}\n")
        with open(os.path.join(db.dir, "log"), "ab") as log:
            p = subprocess.Popen(["unshare", "--mount", "bash", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "bash", str(hosts), *command],
                                 stdout=log, stderr=log)
        try:
            with direct(db) as client:
                initiate(client, f"{host}:{db.port}")
                yield db
        finally:
            p.terminate()
            p.wait(60)


def test_names_of_a_container(weir, tmp_path):
    with named(tmp_path, "0d3adbeef001") as db:
        seed = f"127.0.0.1:{db.port}"
        for uri in (f"mongodb://{seed}/?replicaSet=rs0", f"mongodb://{seed}"):
            text = one(weir, uri, weir_mongodb_direct_fallback="false")
            fact, *cures = text.split("\n")
            assert fact == (f'Unable to connect: the server at {seed} answers, but the replica set "rs0" calls its members 0d3adbeef001:{db.port} '
                            "(the name is not known here), and drivers go by those names"), fact
            assert cures == [f'cfg=rs.conf(); cfg.members[0].host="{seed}"; rs.reconfig(cfg,{{force:true}})',
                             f"mongodb://{seed}/?directConnection=true", "<address of the server>  0d3adbeef001"], cures
        # helped without asking
        assert validate(weir, f"mongodb://{seed}/?replicaSet=rs0") == []
        assert "going on with directConnection=true to that server only (weir.mongodb.direct.fallback)" in weir.log()
        status, page = doctor(f"mongodb://{seed}/?replicaSet=rs0")
        page = " ".join(page.split())
        assert status == 0 and f"calls its members 0d3adbeef001:{db.port} (the name is not known here)" in page and "rs.reconfig(cfg,{force:true})" in page, page
        # each cure cures
        assert validate(weir, f"mongodb://{seed}/?directConnection=true", weir_mongodb_direct_fallback="false") == []
        with direct(db) as client:
            config = client.admin.command("replSetGetConfig")["config"]
            config["members"][0]["host"] = seed
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
            wait_until(lambda: client.admin.command("hello").get("primary") == seed, 30)
        assert validate(weir, f"mongodb://{seed}/?replicaSet=rs0", weir_mongodb_direct_fallback="false") == []


# --- who may what --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "file"
    key.write_text("bm90IGEgc2VjcmV0IGF0IGFsbA==\n")
    key.chmod(0o400)
    with mongo("mongodb", ("--auth", "--keyFile", str(key))) as db:
        with direct(db) as client:
            client.admin.command("createUser", "root", pwd="s3cret@/?:", roles=["root"])
        yield db


def as_root(db):
    return direct(db, username="root", password="s3cret@/?:")


def test_wrong_password(weir, guarded):
    hosts = f"127.0.0.1:{guarded.port}/"
    with as_root(guarded) as client:
        client.shop.command("createUser", "elsewhere", pwd="geheim", roles=["readWrite"])
    for uri, extra in ((f"mongodb://root:geheim@{hosts}?replicaSet=rs0", {}),
                       (f"mongodb://{hosts}?replicaSet=rs0", {"mongodb_user": "root", "mongodb_password": "geheim"}),
                       (f"mongodb://elsewhere:geheim@{hosts}?replicaSet=rs0", {})):
        text = one(weir, uri, **extra)
        fact, cure = text.split("\n")
        user = "elsewhere" if "elsewhere" in uri else "root"
        assert fact == (f'Unable to connect: the user "{user}" cannot log in (authSource=admin): Command execution failed on MongoDB server with error 18 '
                        f"(AuthenticationFailed): 'Authentication failed.' on server 127.0.0.1:{guarded.port}"), fact
        assert "authSource=<database>" in cure
        assert "geheim" not in post(weir, uri, **extra)
    # passwords that have signs in them, written as they are or encoded; the string wins over the options
    for uri, extra in ((f"mongodb://root:s3cret%40%2F%3F%3A@{hosts}?replicaSet=rs0", {}),
                       (f"mongodb://{hosts}?replicaSet=rs0", {"mongodb_user": "root", "mongodb_password": "s3cret@/?:"}),
                       (f"mongodb://root:s3cret%40%2F%3F%3A@{hosts}?replicaSet=rs0", {"mongodb_user": "nobody", "mongodb_password": "geheim"})):
        assert validate(weir, uri, **extra) == [], uri
    assert "geheim" not in weir.log() and "s3cret" not in weir.log()


def test_no_password(weir, guarded):
    """The driver crashes without one: it is never asked."""
    hosts, text = f"127.0.0.1:{guarded.port}/?replicaSet=rs0", "no password is given for user 'root': set mongodb.password, or put it into the connection string"
    url, option = "The 'mongodb.connection.string' value is invalid: " + text, "The 'mongodb.password' value is invalid: " + text
    for uri, extra, want in ((f"mongodb://root@{hosts}", {}, url), (f"mongodb://root:@{hosts}", {}, url),
                             (f"mongodb://{hosts}", {"mongodb_user": "root"}, option), (f"mongodb://{hosts}", {"mongodb_user": "root", "mongodb_password": ""}, option),
                             (f"mongodb://root@{hosts}&authMechanism=PLAIN", {}, url)):
        assert one(weir, uri, **extra) == want, (uri, extra)
        assert want in post(weir, uri, **extra)
    # the text's cures
    login = {"mongodb_password": "s3cret@/?:"}
    assert validate(weir, f"mongodb://root@{hosts}", **login) == []
    config = guarded.connector("login", mongodb_user="root", **login)
    weir.create_connector("login", config)
    status, answer = weir.rest("PATCH", "/connectors/login/config", {"mongodb.password": None})
    assert status == 400 and option in answer["message"], answer
    weir.rest("DELETE", "/connectors/login")
    status, page = doctor(f"mongodb://root@{hosts}")
    assert status == 1 and text in " ".join(page.split()), page


def test_missing_privileges(weir, guarded):
    uri = f"mongodb://127.0.0.1:{guarded.port}/?replicaSet=rs0"
    text = one(weir, uri)  # no user at all
    assert text.startswith("User doesn't have sufficient privileges: Command execution failed on MongoDB server with error 13 (Unauthorized): "), text
    assert text.split("\n")[1].startswith("the server asks for a user"), text
    with as_root(guarded) as client:
        client.admin.command("createUser", "little", pwd="x", roles=[])
        client.shop.t.insert_one({"_id": 1})
        login = {"mongodb_user": "little", "mongodb_password": "x"}
        text = one(weir, uri, **login)
        assert text.startswith("User doesn't have rights to list databases. Please verify credentials and database permissions.\n"), text
        page = " ".join(doctor(uri.replace("//", "//little:x@"))[1].split())
        assert "none are seen: this user may not be allowed to see them" in page, page
        client.admin.command("grantRolesToUser", "little", roles=[{"role": "read", "db": "shop"}])
        text = one(weir, uri, **login)
        assert text.startswith("User doesn't have sufficient privileges: ") and "(Unauthorized): 'not authorized on admin to execute command { aggregate: 1, ... }' on" in text, text
        assert text.endswith('\ndb.getSiblingDB("admin").grantRolesToUser("little", [{role:"readAnyDatabase",db:"admin"}])'), text
        # a narrower scope needs less
        assert validate(weir, uri, capture_scope="database", capture_target="shop", **login) == []
        assert validate(weir, uri, capture_scope="collection", capture_target="shop.t", **login) == []
        text = one(weir, uri, capture_scope="database", capture_target="other", **login)
        assert text.endswith('grantRolesToUser("little", [{role:"read",db:"other"}])'), text
        client.admin.command("grantRolesToUser", "little", roles=[{"role": "readAnyDatabase", "db": "admin"}])
        assert validate(weir, uri, **login) == []


# --- TLS -----------------------------------------------------------------------------------------


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority of our own, a server's certificate for localhost, a client's in PKCS12."""
    d = tmp_path_factory.mktemp("tls")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/O=weir/CN=authority", "-keyout", f"{d}/ca.key", "-out", f"{d}/ca.pem")
    for name, extension in (("server", "subjectAltName=DNS:localhost"), ("client", "extendedKeyUsage=clientAuth")):
        (d / f"{name}.ext").write_text(extension + "\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/O=weir/OU={name}/CN={name}", "-keyout", f"{d}/{name}.key", "-out", f"{d}/{name}.csr")
        openssl("x509", "-req", "-in", f"{d}/{name}.csr", "-CA", f"{d}/ca.pem", "-CAkey", f"{d}/ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{d}/{name}.ext", "-out", f"{d}/{name}.crt")
        (d / f"{name}.pem").write_text((d / f"{name}.crt").read_text() + (d / f"{name}.key").read_text())
    openssl("pkcs12", "-export", "-in", f"{d}/client.pem", "-out", f"{d}/client.p12", "-passout", "pass:storepass")
    openssl("pkcs12", "-export", "-nokeys", "-in", f"{d}/ca.pem", "-out", f"{d}/trust.p12", "-passout", "pass:trustpass")
    return d


def test_tls(weir, certificates, healthy):
    d = certificates
    with uninitiated("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", f"{d}/server.pem", "--tlsCAFile", f"{d}/ca.pem") as db:
        with direct(db, tls=True, tlsCAFile=f"{d}/ca.pem", tlsCertificateKeyFile=f"{d}/client.pem", tlsAllowInvalidHostnames=True) as client:
            initiate(client, f"localhost:{db.port}")
        uri, store = f"mongodb://localhost:{db.port}/?replicaSet=rs0", {"mongodb_ssl_keystore": d / "client.p12", "mongodb_ssl_keystore_password": "storepass"}
        trust = {"mongodb_ssl_truststore": d / "trust.p12", "mongodb_ssl_truststore_password": "trustpass"}
        text = one(weir, uri)
        assert f"localhost:{db.port} wants TLS and is asked without\nset mongodb.ssl.enabled=true" in text, text
        text = one(weir, uri, mongodb_ssl_enabled="true", **store)
        assert f"the certificate of localhost:{db.port} does not hold: self-signed certificate in certificate chain\n" in text, text
        assert "mongodb.ssl.truststore" in text
        assert validate(weir, uri, mongodb_ssl_enabled="true", **store, **trust) == []
        assert validate(weir, uri + "&tls=true", mongodb_ssl_keystore=d / "client.pem", mongodb_ssl_truststore=d / "ca.pem") == []
        # the name in the certificate is localhost
        other = f"mongodb://127.0.0.1:{db.port}/?directConnection=true"
        text = one(weir, other, mongodb_ssl_enabled="true", **store, **trust)
        assert "does not hold: IP address mismatch\nname the host as the certificate does" in text, text
        assert validate(weir, other, mongodb_ssl_enabled="true", mongodb_ssl_invalid_hostname_allowed="true", **store, **trust) == []
        # stores that do not open
        text = one(weir, uri, mongodb_ssl_enabled="true", mongodb_ssl_keystore=d / "client.p12", mongodb_ssl_keystore_password="geheim")
        assert text == f"The 'mongodb.ssl.keystore' value is invalid: {d}/client.p12 does not open with the password that is given for it", text
        (d / "store.jks").write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2\0\0\0\0")
        text = one(weir, uri, mongodb_ssl_enabled="true", mongodb_ssl_truststore=d / "store.jks")
        assert text.startswith("The 'mongodb.ssl.truststore' value is invalid: ") and "keytool -importkeystore" in text, text
        # by its certificate alone
        with direct(db, tls=True, tlsCAFile=f"{d}/ca.pem", tlsCertificateKeyFile=f"{d}/client.pem", tlsAllowInvalidHostnames=True) as client:
            client["$external"].command("createUser", "CN=client,OU=client,O=weir", roles=[{"role": "readAnyDatabase", "db": "admin"}])
        assert validate(weir, uri + "&authMechanism=MONGODB-X509", mongodb_ssl_enabled="true", **store, **trust) == []
    text = one(weir, f"mongodb://127.0.0.1:{healthy.port}/?replicaSet=rs0&tls=true")
    assert f"127.0.0.1:{healthy.port} does not speak TLS" in text, text


# --- `weir doctor` -------------------------------------------------------------------------------


def doctor(target, *options, env=None):
    p = subprocess.run([BINARY, "doctor", *options, target], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, env={**os.environ, **(env or {})})
    assert not p.stderr, p.stderr
    return p.returncode, p.stdout


def test_doctor_page(healthy):
    uri = f"mongodb://127.0.0.1:{healthy.port}/?replicaSet=rs0"
    with healthy.client() as client:
        client.shop.product.insert_one({"_id": 1})
        client.shop.create_collection("kept", changeStreamPreAndPostImages={"enabled": True})
        status, page = doctor(uri)
        assert status == 0, page
        for words in ("MongoDB 6.0", "without a user, not encrypted", '"rs0"', "the change stream can be read", "pre-images",
                      "to the beginning of the replica set", "a connector would run"):
            assert words in page, page
        images = ("--set", "capture.mode=change_streams_update_full_with_pre_image", "--set", "database.include.list=shop")
        status, page = doctor(uri, *images)
        command = 'db.getSiblingDB("shop").runCommand({collMod:"product",changeStreamPreAndPostImages:{enabled:true}})'
        assert status == 0 and "1 of 2 captured collections keep none: before of their changes stays null" in page and command in page, page
        client.shop.command("collMod", "product", changeStreamPreAndPostImages={"enabled": True})
        status, page = doctor(uri, *images)
        assert status == 0 and "all captured collections keep them" in page, page
        status, page = doctor(uri, "--set", "collection.include.list=product")
        assert '"product" matches nothing: elements have the form database.collection' in " ".join(page.split()), page
        client.drop_database("shop")
    status, page = doctor(f"mongodb://127.0.0.1:{free_port()}")
    assert status == 1 and "no MongoDB server answers at" in page and "a connector would fail" in page, page


def test_doctor_refuses_what_a_post_refuses(healthy, weir, tmp_path):
    good = {"connector.class": CLASS, "mongodb.connection.string": f"mongodb://127.0.0.1:{healthy.port}/?replicaSet=rs0", "topic.prefix": "x"}
    file = tmp_path / "c.json"

    def ask(**values):
        config = {k: v for k, v in {**good, **{k.replace("__", "."): v for k, v in values.items()}}.items() if v is not None}
        file.write_text(json.dumps({"name": "good", "config": config}))
        status, page = doctor(str(file))
        return status, page, {m[1]: m[0] for m in re.findall(r"^  (\w+) +(\S+) ", page, re.M)}, config

    status, page, levels, _ = ask()
    assert status == 0 and "a connector would run" in page, page
    for values in ({"capture__mode": "foo"}, {"transforms": "u", "transforms__u__type": "nonsense.X"}, {"topic__prefix": None},
                   {"snapshot__mode": "bar"}, {"tasks__max": "abc"}):
        option = [k for k in values][-1].replace("__", ".")
        status, page, levels, config = ask(**values)
        assert status == 1 and levels[option] == "fault" and "a connector would fail" in page, page
        status, answer = weir.rest("POST", "/connectors", {"name": "refused", "config": config})
        assert status == 400 and f"{option}" in answer["message"], answer
        for line in answer["message"].split("\n")[1:-1]:
            assert " ".join(line.split()) in " ".join(page.split()), (line, page)
    status, page, levels, _ = ask(collection__includ__list="shop.product")
    assert status == 0 and levels["collection.includ.list"] == "warning" and "did you mean collection.include.list?" in page, page


def test_doctor_hides_passwords(guarded):
    uri = f"mongodb://root:s3cret%40%2F%3F%3A@127.0.0.1:{guarded.port}/?replicaSet=rs0"
    status, page = doctor(uri)
    assert status == 0 and " as root" in page and "s3cret" not in page, page
    assert doctor(uri.replace(":s3cret%40%2F%3F%3A", ""), env={"MONGODB_PWD": "s3cret@/?:"})[0] == 0
    # ps does not show it
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(5)
        with subprocess.Popen([BINARY, "doctor", f"mongodb://root:geheim@127.0.0.1:{s.getsockname()[1]}/"], stdout=subprocess.PIPE, text=True) as p:
            wait_until(lambda: b"*" in open(f"/proc/{p.pid}/cmdline", "rb").read())
            assert b"geheim" not in open(f"/proc/{p.pid}/cmdline", "rb").read()
            assert "geheim" not in p.communicate(timeout=20)[0]


def test_doctor_signals(guarded):
    with as_root(guarded) as client:
        client.admin.command("createUser", "reader", pwd="x", roles=[{"role": "readAnyDatabase", "db": "admin"}])
        uri, signals = f"mongodb://reader:x@127.0.0.1:{guarded.port}/?replicaSet=rs0", ("--set", "signal.data.collection=shop.signals")
        page = " ".join(doctor(uri, *signals)[1].split())
        assert "insert on shop.signals is missing: incremental snapshots cannot mark their windows" in page, page
        assert 'db.getSiblingDB("admin").grantRolesToUser("reader", [{role:"readWrite",db:"shop"}])' in page, page
        client.admin.command("grantRolesToUser", "reader", roles=[{"role": "readWrite", "db": "shop"}])
        assert "signal" not in doctor(uri, *signals)[1]
        client.admin.command("createUser", "narrow", pwd="x", roles=[{"role": "read", "db": "shop"}])
        uri, signals = uri.replace("reader", "narrow"), ("--set", "capture.scope=database", "--set", "capture.target=shop", "--set", "signal.data.collection=ops.signals")
        page = " ".join(doctor(uri, *signals)[1].split())
        assert "find or changeStream on ops.signals is missing: signals cannot be read there" in page, page
        assert 'db.getSiblingDB("admin").grantRolesToUser("narrow", [{role:"read",db:"ops"}])' in page, page
        client.admin.command("grantRolesToUser", "narrow", roles=[{"role": "read", "db": "ops"}])
        assert "signal" not in doctor(uri, *signals)[1]


def test_doctor_short_oplog():
    with mongo("mongodb", ("--oplogSize", "1")) as db, db.client() as client:
        c = client.shop.t
        def rolled():
            c.insert_many([{"pad": os.urandom(250000)} for _ in range(40)])
            page = " ".join(doctor(f"mongodb://127.0.0.1:{db.port}/?replicaSet=rs0")[1].split())
            return page if "it goes back 0.0 hours only" in page else None
        page = wait_until(rolled, 90, 1)
        assert "db.adminCommand({replSetResizeOplog:1,minRetentionHours:72})" in page, page
        client.admin.command("replSetResizeOplog", 1, minRetentionHours=72.0)


# --- tasks ---------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
def test_a_task_says_the_same(weir):
    """The server comes back without --replSet: the task's error is the validation's."""
    with mongo() as db:
        weir.create_connector("same", db.connector("same"))
        db.kill()
        alone = [x for x in db.commands[0]]
        at = alone.index("--replSet")
        db.commands[0] = alone[:at] + alone[at + 2:]
        db.start_member()
        weir.rest("POST", "/connectors/same/restart?includeTasks=true")
        def failed():
            task = weir.rest("GET", "/connectors/same/status")[1]["tasks"]
            return task[0]["trace"] if task and task[0]["state"] == "FAILED" else None
        trace = wait_until(failed, 60)
        text = one(weir, db.uri()).removeprefix("Unable to connect: ")
        assert text in trace, (text, trace)
        weir.rest("DELETE", "/connectors/same")
        assert "driver: " not in weir.log()  # Failed to buffer 4 bytes, endSessions ...: for debugging


def test_a_stop_is_no_lost_primary(weir, healthy):
    for name in ("gone1", "gone2", "gone3"):
        weir.create_connector(name, healthy.connector(name))
        weir.wait_running(name)
        weir.rest("DELETE", f"/connectors/{name}")
    time.sleep(2)  # the driver's threads have seen it
    assert f"127.0.0.1:{healthy.port} is the primary no more" not in weir.log()


@pytest.mark.timeout(240)
def test_a_silent_server_does_not_hold_a_stop_up():
    with mongo() as db, Weir() as w, db.client() as client:
        client.shop.t.insert_one({"_id": 1})
        for name in ("silent", "stays"):
            w.create_connector(name, db.connector(name))
        wait_until(lambda: w.log().count("Reading change stream") == 2, 30)
        os.kill(db.pid(), 19)  # SIGSTOP
        try:
            time.sleep(2)
            began = time.monotonic()
            assert w.rest("DELETE", "/connectors/silent")[0] == 204
            took = time.monotonic() - began
            assert took < 3, took
            assert w.stop(15) == 0  # its driver's threads still wait for an answer
        finally:
            os.kill(db.pid(), 18)
