"""What the client tests share: looking for a tool, and the rule for its absence."""
import os
import shutil
import subprocess

import pytest

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def missing(what):
    """A tool that is not there fails the test under STRICT=1, else skips it with a line."""
    if os.environ.get("STRICT") == "1":
        pytest.fail(f"{what} is not installed, and STRICT=1 asks for it")
    pytest.skip(f"{what} is not installed")


def tool(name):
    path = shutil.which(name)
    return path or missing(name)


def run(command, stdin=None, timeout=60, check=True, **options):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def restart(weir):
    """A clean stop and a new start on the same directory and ports."""
    assert weir.stop() == 0
    weir.start()
