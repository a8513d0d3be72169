"""Course note 000: its MySQL connector JSON is posted byte for byte where its host names mean something: a network
namespace with a hosts file of its own."""
import os
import shutil
import subprocess
import sys

import pytest

from databases import SHARED, missing
from mongo import mongo
from weirproc import BINARY

HOSTS = "127.0.0.1 localhost mysql broker-1 broker-2 broker-3\n::1 localhost\n"


@pytest.mark.timeout(240)
def test_mysql_source_json_as_typed(mysql, tmp_path):
    # `mysql` is not used: its start brought the server's files here while there was a network.
    note = os.path.join(SHARED, "classroom")
    if not os.path.isdir(note):
        missing("the course notes are not beside this clone")
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        missing("a network namespace needs root, unshare and ip")
    note = os.path.join(note, next(f for f in sorted(os.listdir(note)) if f.startswith("000_")))
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS)
    here = os.path.dirname(os.path.abspath(__file__))
    script = f'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"'
    result = subprocess.run(["unshare", "--net", "--mount", "bash", "-c", script, "bash", str(hosts), sys.executable, os.path.join(here, "inside.py"),
                             note, BINARY, os.path.join(SHARED, "services", "db.sh"), str(tmp_path)],
                            env={**os.environ, "PYTHONPATH": os.path.dirname(here)}, capture_output=True, text=True, timeout=220)
    log = tmp_path / "weir.log"
    assert result.returncode == 0 and result.stdout.endswith("OK\n"), result.stdout + result.stderr + (log.read_text() if log.exists() else "")


@pytest.mark.timeout(280)
def test_mongodb_source_json_as_typed(tmp_path):
    """Three members under the note's names; its connector JSON, then its PATCH and collMod, after which `before` is filled."""
    note = os.path.join(SHARED, "classroom")
    if not os.path.isdir(note):
        missing("the course notes are not beside this clone")
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        missing("a network namespace needs root, unshare and ip")
    with mongo("mongodb-alone") as db:  # brings the server's files here while there is a network
        mongod = db.commands[0][0]
    note = os.path.join(note, next(f for f in sorted(os.listdir(note)) if f.startswith("000_")))
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost mongo_primary\n127.0.0.2 mongo_secondary1\n127.0.0.3 mongo_secondary2\n::1 localhost\n")
    here = os.path.dirname(os.path.abspath(__file__))
    script = 'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"'
    result = subprocess.run(["unshare", "--net", "--mount", "bash", "-c", script, "bash", str(hosts), sys.executable, os.path.join(here, "inside_mongo.py"),
                             note, BINARY, mongod, str(tmp_path)],
                            env={**os.environ, "PYTHONPATH": os.path.dirname(here)}, capture_output=True, text=True, timeout=260)
    log = tmp_path / "weir.log"
    assert result.returncode == 0 and result.stdout.endswith("OK\n"), result.stdout + result.stderr + (log.read_text() if log.exists() else "")
