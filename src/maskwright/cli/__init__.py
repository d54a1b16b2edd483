"""The command line `maskwright`: one file per command, which parses, calls `api` and prints.

A command contains no computation; new options are added to the function in `api` first.
"""

from maskwright.cli.app import main

__all__ = ["main"]
