"""What `maskwright serve` refuses before it opens a model."""

import json
import socket

import pytest


@pytest.fixture
def artifact(tmp_path):
    (tmp_path / "artifact.json").write_text(json.dumps({"format": "onnx"}))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--host", "0.0.0.0"), "a token is needed"),
        (("--host", "::"), "a token is needed"),
        (("--token-file", "short"), "at least 16"),
        (("--token-file", "none"), "No such file"),
    ],
)
def test_what_would_be_unsafe_or_cannot_be_is_refused(run, artifact, options, told):
    (artifact / "short").write_text("secret")
    given = [artifact / option if option in ("short", "none") else option for option in options]
    code, _, error = run("serve", artifact, *given)
    assert code != 0
    assert told in error


def test_a_port_that_is_taken_is_one_sentence(run, artifact):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, error = run("serve", artifact, "--port", taken.getsockname()[1])
    assert code == 2
    assert "in use" in error
    assert "--port" in error
