"""A MongoDB for each file of tests here, and a client of it; what tests before left behind is dropped."""
import pytest

from mongo import mongo


@pytest.fixture(scope="module")
def db():
    with mongo(options=["--setParameter", "enableTestCommands=1"]) as server:  # for fail points
        yield server


@pytest.fixture
def client(db):
    with db.client(w="majority") as c:
        for name in c.list_database_names():
            if name not in ("admin", "local", "config"):
                c.drop_database(name)
        yield c
