"""The program, called as a user calls it."""

import sys

import pytest

from maskwright.cli import main


@pytest.fixture
def run(monkeypatch, capfd):
    """Run the program; gives its exit code, standard output and standard error."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["maskwright", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        told = capfd.readouterr()
        return code, told.out, told.err

    return command
