"""The web tests share one server: each makes topics of its own."""
import itertools

import pytest

from webio import Web
from weirproc import Weir

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def weir():
    with Weir() as w:
        yield w


@pytest.fixture
def web(weir):
    return Web(weir)


@pytest.fixture
def topic(web):
    """Name of a new topic of three partitions."""
    name = f"t{next(_numbers)}"
    web.create(name, 3)
    return name
