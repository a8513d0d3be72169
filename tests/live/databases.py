"""Real database servers for live tests. MariaDB is the system's own; MySQL and MariaDB 11 come from the
project's shared services where these are beside the clone (exit status 3 of theirs: not to be had here)."""
import contextlib
import os
import shutil
import subprocess
import tempfile

import pymysql
import pytest

from weirproc import ROOT, free_port, wait_until

SHARED = os.environ.get("WEIR_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
STRICT = bool(os.environ.get("STRICT"))


def missing(why):
    """Skips, or fails where nothing may be missing."""
    if STRICT:
        pytest.fail(why)
    print(f"skipped: {why}")
    pytest.skip(why)


class Database:
    def __init__(self, kind, directory, port):
        self.kind, self.dir, self.port, self.process = kind, directory, port, None

    def sql(self, text, database=None):
        """Runs statements separated by ';' at the end of a line as root; returns the last result's rows."""
        with contextlib.closing(self.client(database)) as c, c.cursor() as cursor:
            for statement in text.split(";\n"):
                if statement.strip().rstrip(";"):
                    cursor.execute(statement.strip().rstrip(";"))
            return cursor.fetchall()

    def client(self, database=None):
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", password="", database=database, autocommit=True,
                               charset="utf8mb4")

    def connector(self, prefix, **extra):
        """A configuration for this server; extra: option names with '_' for '.'."""
        flavor = "mysql" if self.kind == "mysql" else "mariadb"
        name = {"mysql": "mysql.MySqlConnector", "mariadb": "mariadb.MariaDbConnector"}[flavor]
        config = {"connector.class": f"io.debezium.connector.{name}", "tasks.max": "1", "database.hostname": "127.0.0.1",
                  "database.port": str(self.port), "database.user": "debezium", "database.password": "dbz",
                  "database.server.id": str(10000 + self.port % 50000), "topic.prefix": prefix,
                  "schema.history.internal.kafka.bootstrap.servers": "localhost:9092",
                  "schema.history.internal.kafka.topic": f"{prefix}_history",
                  "key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false",
                  "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}
        config.update({k.replace("_", "."): str(v) for k, v in extra.items()})
        return config

    # The system's MariaDB, without the shared services.
    def start_local(self, options=()):
        os.makedirs(self.dir, exist_ok=True)
        data = os.path.join(self.dir, "data")
        user = ["--user=root"] if os.geteuid() == 0 else []
        if not os.path.exists(os.path.join(data, "mysql")):
            subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
                            "--skip-test-db", *user], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen([server, "--no-defaults", f"--datadir={data}", f"--socket={self.dir}/sock", f"--port={self.port}",
                                             "--bind-address=127.0.0.1", "--server-id=223344", f"--log-bin={data}/binlog", "--binlog-format=ROW",
                                             "--binlog-row-image=FULL", "--innodb-buffer-pool-size=64M", *user, *options], stdout=log, stderr=log)
        def up():
            try:
                pymysql.connect(unix_socket=f"{self.dir}/sock", user="root", password="").close()
                return True
            except pymysql.Error:
                assert self.process.poll() is None, open(os.path.join(self.dir, "log")).read()[-2000:]
                return False
        wait_until(up, 60)
        with contextlib.closing(pymysql.connect(unix_socket=f"{self.dir}/sock", user="root", password="", autocommit=True)) as c, c.cursor() as cursor:
            for statement in ("CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY ''", "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION",
                              "CREATE USER IF NOT EXISTS 'debezium'@'%' IDENTIFIED BY 'dbz'",
                              "GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT, BINLOG MONITOR ON *.* TO 'debezium'@'%'"):
                cursor.execute(statement)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop_local(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


@contextlib.contextmanager
def database(kind, options=()):
    """kind: mariadb (the system's), mariadb11, mysql."""
    directory = tempfile.mkdtemp(prefix="weir-db-")
    db = Database(kind, directory, free_port())
    try:
        if kind == "mariadb":
            if not (shutil.which("mariadbd") or os.path.exists("/usr/sbin/mariadbd")):
                missing("mariadbd is not installed")
            db.start_local(options)
            yield db
        else:
            script = os.path.join(SHARED, "services", "db.sh")
            if not os.path.exists(script):
                missing(f"{kind}: the shared services are not beside this clone")
            result = subprocess.run([script, "start", kind, directory, str(db.port), *options], capture_output=True, text=True)
            if result.returncode == 3:
                pytest.skip(f"{kind} is not to be had here")
            assert result.returncode == 0, result.stderr
            yield db
    finally:
        if kind == "mariadb":
            db.stop_local()
        else:
            subprocess.run([os.path.join(SHARED, "services", "db.sh"), "stop", directory], check=False)
        shutil.rmtree(directory, ignore_errors=True)
