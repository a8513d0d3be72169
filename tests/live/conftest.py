"""Fixtures of the live tests: a weir process, databases, Kafka helpers."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from databases import database  # noqa: E402
from weirproc import Weir  # noqa: E402


@pytest.fixture
def weir():
    """A fresh weir; its log is printed when the test fails, its exit status checked when it does not."""
    with Weir() as w:
        yield w


@pytest.fixture(scope="session")
def mariadb():
    with database("mariadb") as db:
        yield db


@pytest.fixture(scope="session")
def mysql():
    with database("mysql") as db:
        yield db


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    w = item.funcargs.get("weir") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and isinstance(w, Weir):
        report.sections.append(("weir log", w.log()[-8000:]))
