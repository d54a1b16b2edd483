"""The command line: one short file for each command."""

from maskwright.cli.app import main

__all__ = ["main"]
