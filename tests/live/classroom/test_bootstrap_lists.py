"""The bootstrap lists of the course notes, as typed, against a lab of three: a network namespace with a hosts file of its own
makes their names mean something and their ports free."""
import os
import shutil
import subprocess
import sys

import pytest

from databases import missing
from weirproc import BINARY

HOSTS = "127.0.0.1 localhost broker-1 broker-2 broker-3 kafka-0 kafka1 kafka2 kafka3\n::1 localhost\n"


@pytest.mark.timeout(180)
def test_lists_of_the_notes(tmp_path):
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        missing("a network namespace needs root, unshare and ip")
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS)
    here = os.path.dirname(os.path.abspath(__file__))
    script = 'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"'
    result = subprocess.run(["unshare", "--net", "--mount", "bash", "-c", script, "bash", str(hosts), sys.executable,
                             os.path.join(here, "bootstrap_inside.py"), BINARY, str(tmp_path)],
                            env={**os.environ, "PYTHONPATH": os.path.dirname(here)}, capture_output=True, text=True, timeout=160)
    log = tmp_path / "weir.log"
    assert result.returncode == 0 and result.stdout.endswith("OK\n"), result.stdout + result.stderr + (log.read_text() if log.exists() else "")
