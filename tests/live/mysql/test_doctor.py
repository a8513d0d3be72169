"""weir doctor: the same checks as a task's start, and cures that cure."""
import contextlib
import json
import os
import pty
import re
import socket
import subprocess

import pytest

from databases import database
from weirproc import BINARY, Weir

PASSWORD = "pa:ss/w@rd%"
QUOTED = "pa%3Ass%2Fw%40rd%25"


def doctor(*arguments, **environment):
    r = subprocess.run([BINARY, "doctor", *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
    text = r.stdout + r.stderr
    assert PASSWORD not in text and QUOTED not in text
    return r.returncode, text


def level(text, what):
    found = re.search(rf"^  (\w+) +{re.escape(what)} ", text, re.M)
    return found and found.group(1)


@pytest.mark.parametrize("kind", ["mariadb", "mariadb11", "mysql"])
def test_grants_are_named_and_cure(kind):
    scheme = "mysql" if kind == "mysql" else "mariadb"
    with database(kind) as db:
        db.sql(f"CREATE USER doc@'%' IDENTIFIED BY '{PASSWORD}';\nCREATE DATABASE doc;\nCREATE TABLE doc.t (id INT);\nGRANT SELECT ON doc.* TO doc@'%'")
        url = f"{scheme}://doc:{QUOTED}@127.0.0.1:{db.port}/doc"
        status, text = doctor(url)
        assert status == 1, text
        assert level(text, "connection") == "ok" and level(text, "settings") == "ok" and level(text, "privileges") == "fault", text
        for missing in ("RELOAD", "LOCK TABLES", "SHOW DATABASES", "REPLICATION SLAVE", "REPLICATION CLIENT"):
            assert f"{missing} is missing" in text
        assert level(text, "tables") == "ok" and level(text, "keys") == "note", text
        grants = re.findall(r"^ +(GRANT .*;)$", text, re.M)
        assert len(grants) == 1 and "TO 'doc'@'%'" in grants[0]
        db.sql(grants[0])
        status, text = doctor(url)
        assert status == 0 and level(text, "privileges") == "ok" and level(text, "binlog") == "ok", text
        # the password from the environment, the configuration from a file
        assert doctor(f"{scheme}://doc@127.0.0.1:{db.port}/", MYSQL_PWD=PASSWORD)[0] == 0
        config = os.path.join(db.dir, "connector.json")
        with open(config, "w") as f:
            json.dump({"name": "x", "config": {**db.connector("doc", database_user="doc", database_password=PASSWORD), "database.port": db.port,
                                               "table.include.list": "t", "signal.data.collection": "doc.signals"}}, f)
        status, text = doctor(config)
        assert status == 0 and "form database.table" in text and "GRANT INSERT, DELETE ON `doc`.`signals` TO 'doc'@'%';" in text, text
        status, text = doctor(f"{scheme}://doc:wrong@127.0.0.1:{db.port}/")
        assert status == 1 and "Unable to connect: Access denied for user 'doc'@" in text, text
        # a role brings what is missing, when it is active
        db.sql(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM doc@'%';\nCREATE ROLE reader;\n{grants[0].split(' TO ')[0].replace('GRANT ', 'GRANT SELECT, ')} TO reader;\n"
               "GRANT reader TO doc@'%'")
        status, text = doctor(url)
        assert status == 1 and "roles are granted" in text, text
        db.sql("SET DEFAULT ROLE reader FOR doc@'%'" if kind != "mysql" else "SET DEFAULT ROLE reader TO doc@'%'")
        status, text = doctor(url)
        assert status == 0, text


def test_settings_are_named(own=("--binlog-format=STATEMENT", "--binlog-row-image=MINIMAL", "--expire-logs-days=0.5")):
    with database("mariadb", own) as db:
        status, text = doctor(f"mariadb://debezium:dbz@127.0.0.1:{db.port}/?include.query=true")
        assert status == 1
        assert level(text, "binlog_format") == "fault" and level(text, "binlog_row_image") == "fault", text
        assert level(text, "binlog_expire_logs_seconds") == "warning", text
        assert "to do - my.cnf" in text and "    binlog_format=ROW\n" in text and "    binlog_row_image=FULL\n" in text
        db.sql("SET GLOBAL binlog_format = 'ROW';\nSET GLOBAL binlog_row_image = 'FULL'")
        assert doctor(f"mariadb://debezium:dbz@127.0.0.1:{db.port}/")[0] == 0


def test_without_binlog():
    with database("mariadb", ("--skip-log-bin",)) as db:
        status, text = doctor(f"mysql://debezium:dbz@127.0.0.1:{db.port}/")
        assert status == 1 and level(text, "log_bin") == "fault" and level(text, "class") == "note", text
        assert "    log_bin=mysql-bin\n" in text


def silent_server():
    """Takes connections and says nothing."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    return s, s.getsockname()[1]


def test_ps_shows_no_password():
    server, port = silent_server()
    with server, subprocess.Popen([BINARY, "doctor", "--set", "database.ssl.keystore.password=s3cret-key",
                                   f"mysql://doc:{QUOTED}@127.0.0.1:{port}/shop?database.ssl.truststore.password=s3cret-store&include.query=true"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        server.settimeout(20)
        connection, _ = server.accept()  # the arguments have been read
        with connection, open(f"/proc/{p.pid}/cmdline") as f:
            shown = f.read()
        p.kill()
    assert "s3cret" not in shown and "pa%3A" not in shown and "rd%25" not in shown
    assert "doctor" in shown and "mysql://doc:*" in shown and f"@127.0.0.1:{port}/shop?" in shown and "&include.query=true" in shown


def test_the_terminal_asks_for_the_password(mariadb):
    mariadb.sql(f"CREATE USER IF NOT EXISTS doc@'%' IDENTIFIED BY '{PASSWORD}'")
    def ask(typed):
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.pop("MYSQL_PWD", None)
            os.execv(BINARY, [BINARY, "doctor", f"mariadb://doc@127.0.0.1:{mariadb.port}/"])
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while data := os.read(terminal, 4096):
                if b"Password:" in shown + data and b"Password:" not in shown:
                    os.write(terminal, typed.encode() + b"\n")
                shown += data
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()
    status, text = ask(PASSWORD)
    assert level(text, "connection") == "ok" and PASSWORD not in text, text
    status, text = ask("wrong")
    assert status == 1 and "Access denied for user 'doc'@" in text and "(using password: YES)" in text, text
    assert ask("")[1].count("(using password: NO)") == 1


def test_what_a_post_refuses_is_a_fault(tmp_path, mariadb):
    """The same errors as POST's, each beside what the database says."""
    good = {**mariadb.connector("good"), "topic.prefix": "good"}
    file = tmp_path / "c.json"

    def ask(*options, without=(), **values):
        config = {k: v for k, v in {**good, **{k.replace("__", "."): v for k, v in values.items()}}.items() if k not in without}
        file.write_text(json.dumps({"name": "good", "config": config}))
        return doctor(str(file), *options)

    with Weir() as weir:
        status, text = ask()
        assert status == 0 and "a connector would run" in text, text
        for values, what, words in (
            ({"tasks__max": "abc"}, "tasks.max", "Invalid value abc for configuration tasks.max: Not a number of type INT"),
            ({"transforms": "u", "transforms__u__type": "nonsense.X"}, "transforms.u.type", "Class nonsense.X could not be found"),
            ({"snapshot__mode": "bar"}, "snapshot.mode", "The 'snapshot.mode' value is invalid: Value must be one of"),
            ({"value__converter": "no.Such"}, "value.converter", "Class no.Such could not be found"),
        ):
            status, text = ask(**values)
            flat = " ".join(text.split())
            assert status == 1 and level(text, what) == "fault" and words in flat and "a connector would fail: " in flat, text
            assert level(text, "connection") == "ok" or what == "snapshot.mode", text
            status, answer = weir.rest("POST", "/connectors", {"name": "refused", "config": {**good, **{k.replace("__", "."): v for k, v in values.items()}}})
            assert status == 400 and words in answer["message"], answer
        status, text = ask(without=["topic.prefix"])
        assert status == 1 and level(text, "topic.prefix") == "fault", text
        status, text = ask("--set", "snapshot.mode=bar")
        assert status == 1 and level(text, "snapshot.mode") == "fault", text
        # nobody reads it: the connector runs all the same
        status, text = ask(tabel__include__list="inventory.t")
        assert status == 0 and level(text, "tabel.include.list") == "warning", text
        assert "did you mean table.include.list?" in text and "mind the warnings" in text, text
    assert level(doctor(f"mariadb://debezium:dbz@127.0.0.1:{mariadb.port}/")[1], "topic.prefix") is None


def test_questions_that_are_none():
    assert doctor("mysql://127.0.0.1/")[0] == 2
    assert doctor("postgres://u:p@h/")[0] == 2
    assert doctor()[0] == 2
    assert doctor("/no/such/file.json")[0] == 2
    assert doctor("--help")[0] == 0
    status, text = doctor(f"mysql://doc:{QUOTED}@127.0.0.1:1/")
    assert status == 1 and "Communications link failure" in text
    if os.path.exists("/.dockerenv"):
        assert "127.0.0.1 is the container itself" in text and "host.docker.internal for one on the host" in text and "it is not started" in text
    else:
        assert "is the server started, does it listen on port 1?" in text
    assert "firewall" not in text
    status, text = doctor("mysql://doc:x@a.invalid:3306/")
    assert status == 1 and "is the server started, does it listen on port 3306 beyond its own machine (bind_address)" in text, text
