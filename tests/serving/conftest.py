"""Servers in this process, asked without a network."""

from contextlib import ExitStack

import pytest
from page_client import client_of

from made_up_models import all_tasks, one_model


@pytest.fixture
def asking():
    """Makes clients for a test."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(client_of(*args, **options))


@pytest.fixture(scope="session")
def _usual():
    with client_of(one_model()) as one, client_of(all_tasks()) as every:
        for client in (one, every):  # the first request waits for processes that decode
            client.post("/predict?model=cells", files={"image": ("none", b"nothing")})
        yield one, every


@pytest.fixture
def cells(_usual):
    """Client of a server with one model, of masks."""
    _usual[0].records.clear()
    return _usual[0]


@pytest.fixture
def tasks(_usual):
    """Client of a server with a model for every task."""
    _usual[1].records.clear()
    return _usual[1]
