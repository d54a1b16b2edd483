"""The command line `maskwright`: a command parses, calls `api` and prints.

A command contains no computation; new options are added to the function in `api` first.
"""

from maskwright.cli.app import main

__all__ = ["main"]
