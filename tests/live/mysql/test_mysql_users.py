"""What goes wrong for users, and what weir does about it (cdc-mysql 10), row by row:

 1 Public Key Retrieval            test_authentication (first login of an account, without TLS)
 2 schema history lost             the history is in weir's own database: golden schema-history, test_history_topic_is_not_needed
 3 schema isn't known              golden include-list-change
 4 statements not understood       golden ddl-syntax, tests/unit/cdc/mysql/test_mysql_ddl.c
 5 server id in use twice          test_a_server_id_twice
 6 binlog purged                   test_mysql_robust.py::test_the_position_is_purged, test_purged_binlog_names_the_cures
 7 SHOW MASTER STATUS is gone      every golden case of mysql (9.x) and mariadb, test_doctor.py
 8 idle database                   golden heartbeat
 9 keep-alive                      test_mysql_robust.py
10 incremental snapshot stalls     signals: their own tests
11 thousands of tables             test_mysql_robust.py
12 decimals as base64              the page's business
13 snapshot and stream differ      golden types-*: as the original, on purpose
14 names of old releases           test_old_names_run
15 include list without database   test_a_list_without_database
16 MariaDB's formats               golden mariadb/*, test_mysql_robust.py
17 binlog's base name changed      by number within the same base: tests/unit/cdc/mysql/test_mysql_offset.c
18 zero dates                      golden types-time
19 binlog off or not ROW           test_doctor.py, test_settings_in_the_trace
20 silence after creation          describe: GET /connectors/NAME/status and metrics, connect's own tests
"""
import os
import subprocess

import pytest

from databases import database
from kafka_io import events
from weirproc import wait_until


def trace_of(weir, name):
    def trace():
        tasks = weir.rest("GET", f"/connectors/{name}/status")[1].get("tasks")
        return tasks and tasks[0]["state"] == "FAILED" and tasks[0]["trace"]
    return wait_until(trace, 60)


@pytest.fixture(scope="module")
def mysql():
    with database("mysql") as db:
        yield db


def test_authentication(mysql, weir):
    """Rows 1 and 12 of the connection's own table: no key has to be allowed, whatever the plugin."""
    mysql.sql("CREATE USER fresh@'%' IDENTIFIED WITH caching_sha2_password BY 'first-login';\nGRANT ALL ON *.* TO fresh@'%';\n"
              "CREATE DATABASE auth;\nCREATE TABLE auth.t (id INT PRIMARY KEY);\nINSERT INTO auth.t VALUES (1)")
    weir.create_connector("auth", mysql.connector("auth", database_user="fresh", database_password="first-login", database_include_list="auth",
                                                  database_ssl_mode="disabled"))
    assert [k["id"] for k, _ in events(weir.bootstrap, "auth.auth.t", 1, timeout=40)] == [1]
    mysql.sql("INSERT INTO auth.t VALUES (2)")
    assert [k["id"] for k, _ in events(weir.bootstrap, "auth.auth.t", 2, timeout=40)] == [1, 2]
    status, body = weir.rest("POST", "/connectors", {"name": "nobody", "config": mysql.connector("nobody", database_password="wrong")})
    assert status == 400 and "Unable to connect: Access denied for user 'debezium'@" in body["message"] and "wrong" not in body["message"]


def test_ed25519(weir):
    with database("mariadb", ("--plugin-load-add=auth_ed25519",)) as db:
        try:
            db.sql("CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('curve');\nGRANT ALL ON *.* TO ed@'%'")
        except Exception as e:
            pytest.skip(f"the server has no ed25519: {e}")
        db.sql("CREATE DATABASE ed;\nCREATE TABLE ed.t (id INT PRIMARY KEY);\nINSERT INTO ed.t VALUES (1)")
        weir.create_connector("ed", db.connector("ed", database_user="ed", database_password="curve", database_include_list="ed"))
        assert len(events(weir.bootstrap, "ed.ed.t", 1, timeout=40)) == 1


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a server's certificate for localhost, a client's; another authority."""
    d = tmp_path_factory.mktemp("tls")
    run = lambda *a: subprocess.run(["openssl", *a], cwd=d, check=True, capture_output=True)
    for ca in ("ca", "other"):
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN=weir test {ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    for name in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (d / f"{name}.ext").write_text("subjectAltName=DNS:localhost\n")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
    run("pkcs12", "-export", "-in", "client.crt", "-inkey", "client.key", "-passout", "pass:storepass", "-out", "client.p12")
    (d / "client.pem").write_text((d / "client.crt").read_text() + (d / "client.key").read_text())
    for f in d.iterdir():
        os.chmod(f, 0o644)
    os.chmod(d, 0o755)
    return d


def test_tls(certificates, weir):
    d = certificates
    with database("mysql", (f"--ssl-ca={d}/ca.pem", f"--ssl-cert={d}/server.crt", f"--ssl-key={d}/server.key")) as db:
        db.sql("CREATE USER tls@'%' IDENTIFIED BY 'x' REQUIRE X509;\nGRANT ALL ON *.* TO tls@'%';\nCREATE DATABASE tls;\n"
               "CREATE TABLE tls.t (id INT PRIMARY KEY);\nINSERT INTO tls.t VALUES (1)")

        def validate(**extra):
            config = {"name": "tls", **db.connector("tls", database_include_list="tls"), **{k.replace("_", "."): str(v) for k, v in extra.items()}}
            answer = weir.rest("PUT", f"/connector-plugins/{config['connector.class']}/config/validate", config)[1]
            return [e for c in answer["configs"] for e in c["value"]["errors"]]
        ca, other = d / "ca.pem", d / "other.pem"
        assert validate(database_ssl_mode="required") == []
        assert validate(database_ssl_mode="verify_ca", database_ssl_truststore=ca) == []
        assert validate(database_ssl_mode="verify-ca", database_ssl_truststore=other) != []
        assert validate(database_ssl_mode="verify_identity", database_ssl_truststore=ca, database_hostname="localhost") == []
        assert validate(database_ssl_mode="verify_identity", database_ssl_truststore=ca, database_hostname="127.0.0.1") != []
        assert validate(database_user="tls", database_password="x", database_ssl_mode="required") != []  # a certificate is asked for
        wrong = validate(database_user="tls", database_password="x", database_ssl_keystore=d / "client.p12", database_ssl_keystore_password="nope")
        assert len(wrong) == 1 and "does not open with the password" in wrong[0] and "nope" not in wrong[0]
        for keystore, password in (("client.pem", ""), ("client.p12", "storepass")):
            extra = {"database_ssl_keystore": d / keystore, **({"database_ssl_keystore_password": password} if password else {})}
            assert validate(database_user="tls", database_password="x", database_ssl_mode="required", **extra) == [], keystore
        weir.create_connector("tls", db.connector("tls", database_user="tls", database_password="x", database_include_list="tls", database_ssl_mode="verify_ca",
                                                  database_ssl_truststore=ca, database_ssl_keystore=d / "client.p12", database_ssl_keystore_password="storepass"))
        db.sql("INSERT INTO tls.t VALUES (2)")
        assert [k["id"] for k, _ in events(weir.bootstrap, "tls.tls.t", 2, timeout=40)] == [1, 2]


def test_history_topic_is_not_needed(mysql, weir):
    mysql.sql("CREATE DATABASE hist;\nCREATE TABLE hist.t (id INT PRIMARY KEY)")
    config = {k: v for k, v in mysql.connector("hist", database_include_list="hist").items() if not k.startswith("schema.history")}
    weir.create_connector("hist", config)
    weir.wait_running("hist")
    mysql.sql("INSERT INTO hist.t VALUES (1)")
    events(weir.bootstrap, "hist.hist.t", 1, timeout=40)
    weir.rest("POST", "/connectors/hist/restart?includeTasks=true")
    mysql.sql("ALTER TABLE hist.t ADD COLUMN v INT;\nINSERT INTO hist.t VALUES (2, 2)")
    assert [v["after"] for _, v in events(weir.bootstrap, "hist.hist.t", 2, timeout=40)] == [{"id": 1}, {"id": 2, "v": 2}]


def test_old_names_run(mysql, weir):
    mysql.sql("CREATE DATABASE olden;\nCREATE TABLE olden.t (id INT PRIMARY KEY);\nINSERT INTO olden.t VALUES (1)")
    config = mysql.connector("olden")
    for key in [k for k in config if k.startswith("schema.history") or k == "topic.prefix"]:
        config.pop(key)
    config.update({"database.server.name": "olden", "database.whitelist": "olden", "table.whitelist": "olden.t", "snapshot.mode": "schema_only",
                   "database.history": "io.debezium.relational.history.FileDatabaseHistory", "database.history.file.filename": "/tmp/never-written",
                   "database.history.kafka.bootstrap.servers": "kafka:9092", "database.history.kafka.topic": "dbhistory.olden"})
    weir.create_connector("olden", config)
    weir.wait_running("olden")
    wait_until(lambda: "Connected to binlog" in weir.log(), 30)
    mysql.sql("INSERT INTO olden.t VALUES (2)")
    assert [k["id"] for k, _ in events(weir.bootstrap, "olden.olden.t", 1, timeout=40)] == [2]
    assert "'database.whitelist' is deprecated; using it as 'database.include.list'" in weir.log()


def test_a_list_without_database(mysql, weir):
    mysql.sql("CREATE DATABASE hint;\nCREATE TABLE hint.orders (id INT PRIMARY KEY)")
    weir.create_connector("hint", mysql.connector("hint", table_include_list="orders"))
    weir.wait_running("hint")
    wait_until(lambda: "no changes will be captured" in weir.log(), 30)
    assert "database.table" in weir.log()


def test_a_server_id_twice(mysql, weir):
    mysql.sql("CREATE DATABASE twice;\nCREATE TABLE twice.t (id INT PRIMARY KEY);\nINSERT INTO twice.t VALUES (1)")
    for name in ("twice1", "twice2"):
        weir.create_connector(name, mysql.connector(name, database_include_list="twice", database_server_id="777"))
        events(weir.bootstrap, f"{name}.twice.t", 1, timeout=40)
        wait_until(lambda n=name: weir.log().count("Connected to binlog") >= int(n[-1]), 30)

    def told():
        return any(t and t[0]["state"] == "FAILED" and "another database.server.id" in t[0]["trace"]
                   for t in (weir.rest("GET", f"/connectors/{n}/status")[1]["tasks"] for n in ("twice1", "twice2")))
    wait_until(told, 60)


def test_purged_binlog_names_the_cures(mysql, weir):
    mysql.sql("CREATE DATABASE gone;\nCREATE TABLE gone.t (id INT PRIMARY KEY);\nINSERT INTO gone.t VALUES (1)")
    weir.create_connector("gone", mysql.connector("gone", database_include_list="gone"))
    events(weir.bootstrap, "gone.gone.t", 1, timeout=40)
    weir.rest("PUT", "/connectors/gone/stop")
    wait_until(lambda: not weir.rest("GET", "/connectors/gone/status")[1]["tasks"], 30)
    mysql.sql("INSERT INTO gone.t VALUES (2);\nFLUSH BINARY LOGS;\nINSERT INTO gone.t VALUES (3)")
    last = mysql.sql("SHOW BINARY LOG STATUS")[0][0]
    mysql.sql(f"PURGE BINARY LOGS TO '{last}'")
    weir.rest("PUT", "/connectors/gone/resume")
    trace = trace_of(weir, "gone")
    assert "The connector is trying to read change stream starting at" in trace and "is no longer available on the server" in trace
    assert "snapshot.mode=when_needed" in trace and "DELETE its /offsets" in trace
    config = weir.rest("GET", "/connectors/gone/config")[1]
    weir.rest("PUT", "/connectors/gone/config", {**config, "snapshot.mode": "when_needed"})
    found = events(weir.bootstrap, "gone.gone.t", 4, timeout=60)
    assert [(k["id"], v["op"]) for k, v in found] == [(1, "r"), (1, "r"), (2, "r"), (3, "r")]


def test_settings_in_the_trace(weir):
    with database("mariadb", ("--binlog-format=MIXED",)) as db:
        weir.create_connector("mixed", db.connector("mixed"))
        trace = trace_of(weir, "mixed")
        assert trace.startswith("io.debezium.DebeziumException: The database server is not configured to use a ROW binlog_format")
        assert "\t[mysqld]\n\tbinlog_format=ROW\n" in trace
        db.sql("SET GLOBAL binlog_format = 'ROW';\nCREATE DATABASE few;\nCREATE TABLE few.a (id INT);\nCREATE TABLE few.b (id INT)")
        weir.create_connector("guard", db.connector("guard", database_include_list="few", guardrail_collections_max=1, guardrail_collections_limit_action="fail"))
        assert "tables 2 exceeds the limit guardrail.collections.max=1" in trace_of(weir, "guard")


def test_offsets_that_are_none(mysql, weir):
    mysql.sql("CREATE DATABASE offs;\nCREATE TABLE offs.t (id INT PRIMARY KEY);\nINSERT INTO offs.t VALUES (1)")
    weir.create_connector("offs", mysql.connector("offs", database_include_list="offs"))
    events(weir.bootstrap, "offs.offs.t", 1, timeout=40)
    weir.rest("PUT", "/connectors/offs/stop")
    wait_until(lambda: not weir.rest("GET", "/connectors/offs/status")[1]["tasks"], 30)
    patch = lambda partition, offset: weir.rest("PATCH", "/connectors/offs/offsets", {"offsets": [{"partition": partition, "offset": offset}]})
    status, body = patch({"server": "offs"}, {"pos": 4})
    assert status == 400 and "Source offset 'file' parameter is missing" in body["message"]
    status, body = patch({"topic": "offs"}, {"file": "binlog.000001", "pos": 4})
    assert status == 400 and "topic.prefix" in body["message"]
    before = weir.rest("GET", "/connectors/offs/offsets")[1]["offsets"][0]["offset"]
    status, body = patch({"server": "offs"}, {"file": before["file"], "pos": str(before["pos"]), "gtids": before["gtids"]})
    assert status == 200 and body["message"].startswith("The Connect framework-managed offsets for this connector have been altered")
    mysql.sql("INSERT INTO offs.t VALUES (2)")
    weir.rest("PUT", "/connectors/offs/resume")
    assert [k["id"] for k, _ in events(weir.bootstrap, "offs.offs.t", 2, timeout=40)] == [1, 2]
