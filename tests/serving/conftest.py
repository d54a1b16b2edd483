"""A server in this process, asked without a network."""

import pytest
from starlette.testclient import TestClient

from maskwright.serving import Limits, create_app


@pytest.fixture
def asking():
    """Makes clients of a new application; `client.lines` are the requests that it told of."""
    opened = []

    def client(models, headers=None, **options):
        lines = []
        limits = Limits(**options.pop("limits", {}))
        app = create_app(models, limits, tell=lines.append, **options)
        asked = TestClient(app, "http://localhost", headers=headers)
        asked.__enter__()
        asked.lines = lines
        opened.append(asked)
        return asked

    yield client
    for asked in opened:
        asked.__exit__(None, None, None)
