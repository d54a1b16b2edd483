"""What other programs write does not reach the user."""

import os
import subprocess
import sys

import pytest

from maskwright.cli.console import print_message
from maskwright.quiet import quiet_stderr

WARNS = """
import sys, warnings
from maskwright.cli import app, main
app.app = lambda *a, **b: warnings.warn_explicit("of others", FutureWarning, "x.py", 1)
sys.argv = ["maskwright"]
main()
"""


@pytest.mark.parametrize(("options", "shown"), [((), False), (("-W", "default"), True)])
def test_warnings_of_other_programs_are_hidden_unless_asked_for(options, shown):
    done = subprocess.run([sys.executable, *options, "-c", WARNS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("of others" in done.stderr) == shown


def test_what_a_library_writes_to_the_descriptor_is_dropped(capfd):
    with quiet_stderr():
        os.write(2, b"INFO: of others\n")
    os.write(2, b"ours\n")
    assert capfd.readouterr().err == "ours\n"


def test_names_of_files_cannot_drive_a_terminal(capsys):
    print_message("failed: a\x1b]0;b\a.png:\nno image")
    assert capsys.readouterr().err == "failed: a\\x1b]0;b\\x07.png:\nno image\n"
