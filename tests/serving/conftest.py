"""Servers in this process, asked without a network."""

import pytest
from starlette.testclient import TestClient
from tiny_models import every_kind, models

from maskwright.serving import Limits, create_app


def client_of(served, headers=None, **options):
    """Client of a new application; `client.lines` are the requests that it told of."""
    lines = []
    limits = Limits(**options.pop("limits", {}))
    app = create_app(served, limits, on_message=lines.append, **options)
    client = TestClient(app, "http://localhost", headers=headers)
    client.lines = lines
    return client


@pytest.fixture
def asking():
    """Makes clients for a test."""
    opened = []

    def client(*args, **options):
        opened.append(client_of(*args, **options).__enter__())
        return opened[-1]

    yield client
    for asked in opened:
        asked.__exit__(None, None, None)


@pytest.fixture(scope="session")
def _usual():
    with client_of(models()) as one, client_of(every_kind()) as all_kinds:
        yield one, all_kinds


@pytest.fixture
def cells(_usual):
    """Client of a server with one model, of masks."""
    _usual[0].lines.clear()
    return _usual[0]


@pytest.fixture
def kinds(_usual):
    """Client of a server with models of every kind."""
    _usual[1].lines.clear()
    return _usual[1]
