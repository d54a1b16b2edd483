"""Names of any alphabet are shown on any terminal."""

import os
import subprocess
import sys

import numpy as np
import pytest

from drawing_samples import MASK, draw


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_names_that_a_terminal_cannot_show_are_escaped(tmp_path, encoding):
    data = tmp_path / "ş\udcff"
    for number in range(6):
        draw(data / "images" / f"{number}.png", np.full((3, 4, 3), number, np.uint8))
        draw(data / "masks" / f"{number}.png", MASK)
    code = "from maskwright.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", data],
        env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"\\u015f\\udcff" in done.stdout.replace(b"\n", b"")  # wrapped anywhere
